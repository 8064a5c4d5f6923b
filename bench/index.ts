import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { memory } from './benchmarks/memory.ts'
import { photos, photosOnDisk } from './benchmarks/photos.ts'
import { rerun } from './benchmarks/rerun.ts'
import { small } from './benchmarks/small.ts'
import { service } from './benchmarks/service.ts'
import { start } from './benchmarks/start.ts'
import { isStale, notBuilt } from './built.ts'
import { describeMachine, machineLines, type Machine } from './machine.ts'
import { killRunning } from './measure.ts'
import { optionsOf, usage, UsageError, type BenchmarkName, type Options } from './options.ts'
import { notInstalled } from './pairs.ts'
import { diskPlace, removeOwnRuns, sweepDeadRuns, tmpfsPlace } from './places.ts'
import { reportOf } from './report.ts'
import type { Section } from './sections.ts'
import type { Workbench } from './workbench.ts'

const benchmarks: Readonly<Record<BenchmarkName, (bench: Workbench) => Promise<Section[]>>> = {
  rerun,
  photos,
  'photos-disk': photosOnDisk,
  small,
  memory,
  start,
  service,
}

/** Runs what the command line names; the exit code says whether every figure counts, never whether a target was met. */
async function main(argv: readonly string[]): Promise<number> {
  const options = optionsOf(argv)
  if (options === undefined) return (print(usage), 0)
  const missing = notBuilt(options.program)
  if (missing !== undefined) throw new UsageError(missing)
  const bench = openWorkbench(options)
  if (isStale(options.program)) bench.log('src is newer than dist: this measures the older build')
  try {
    return await runAll(bench)
  } finally {
    clear(bench)
  }
}

function openWorkbench(options: Options): Workbench {
  const disk = diskPlace()
  const home = join(disk.root, 'home')
  mkdirSync(home, { recursive: true })
  const bench = { options, disk, tmpfs: tmpfsPlace(), home, log }
  for (const place of placesOf(bench)) sweepDeadRuns(place)
  process.once('SIGINT', () => abandon(bench, 130))
  process.once('SIGTERM', () => abandon(bench, 143))
  return bench
}

async function runAll(bench: Workbench): Promise<number> {
  const { options } = bench
  const machine = describeMachine(bench)
  const lines = machineLines(machine)
  print(options.markdown ? lines.map((line) => `- ${line}`).join('\n') : lines.join('\n'))
  const sections: Section[] = []
  for (const name of options.benchmarks) {
    for (const section of await benchmarks[name](bench)) {
      sections.push(section)
      print(`\n${reportOf(section, { markdown: options.markdown, fullSize: options.scale === 1 })}`)
    }
  }
  if (options.jsonFile !== undefined) writeJson(options.jsonFile, machine, options, sections)
  return sections.every(counts) ? 0 : 1
}

/** A peer that isn't installed takes nothing from the others' figures. */
function counts(section: Section): boolean {
  if ('reason' in section) return section.kind === 'skipped'
  const reasons = section.kind === 'pairs' ? section.comparisons : section.rows
  return reasons.every((part) => part.void === undefined || part.void === notInstalled)
}

function writeJson(path: string, machine: Machine, options: Options, sections: readonly Section[]): void {
  const { scale, runs, full } = options
  writeFileSync(path, `${JSON.stringify({ machine, options: { scale, runs, full }, sections }, null, 2)}\n`)
}

const placesOf = ({ disk, tmpfs }: Workbench) => (typeof tmpfs === 'string' ? [disk] : [disk, tmpfs])

function clear(bench: Workbench): void {
  for (const place of placesOf(bench)) removeOwnRuns(place)
}

function abandon(bench: Workbench, exitCode: number): never {
  killRunning()
  clear(bench)
  process.exit(exitCode)
}

const print = (text: string): boolean => process.stdout.write(`${text}\n`)
const log = (line: string): boolean => process.stderr.write(`· ${line}\n`)

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`bench: ${error.message} (npm run bench -- --help)\n`)
  process.exitCode = 2
}
