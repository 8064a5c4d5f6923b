import { rmSync } from 'node:fs'

import { datasetIn, needOf, type Dataset, type DatasetSpec } from '../datasets.ts'
import { flatnessOf } from '../flatness.ts'
import { firstUpload } from '../lumina.ts'
import { measure, type Measured } from '../measure.ts'
import { freshRoom, lacksRoom, type Place } from '../places.ts'
import type { MemoryRow, Section } from '../sections.ts'
import { scaled, type Workbench } from '../workbench.ts'
import { count, oneFile, smallFiles, tinyFiles } from './specs.ts'

interface Case {
  readonly source: string
  readonly spec: DatasetSpec
  readonly places: readonly Place[]
  readonly targetMegabytes: number
}

const lanes = 2
const sampleEveryMs = 50

/** How much memory a first run takes at its highest, and whether that grows with time. */
export async function memory(bench: Workbench): Promise<Section[]> {
  const rows: MemoryRow[] = []
  for (const work of casesOf(bench)) rows.push(await rowOf(bench, work))
  return [{ kind: 'memory', benchmark: 'memory', title: `peak RSS of a first run with ${lanes} lanes`, rows }]
}

function casesOf(bench: Workbench): Case[] {
  const { full, scale } = bench.options
  const sizes = [1e7, 1e8, ...(scale >= 1 || full ? [1e9] : []), ...(full ? [1e10] : [])]
  const many = scaled(bench, 100_000)
  const tiny = full ? 1_000_000 : many
  // Where the bytes lie changes no memory, only how long a million fsyncs take.
  const places = typeof bench.tmpfs === 'string' ? [bench.disk] : [bench.tmpfs, bench.disk]
  return [
    ...sizes.map((bytes) => ({
      source: `one file of ${sizeOf(bytes)}`,
      spec: oneFile(bytes),
      places: [bench.disk],
      targetMegabytes: 110,
    })),
    { source: `${count(many)} files of 4-20 KB`, spec: smallFiles(many), places, targetMegabytes: 110 },
    { source: `${count(tiny)} files of 64 bytes`, spec: tinyFiles(tiny), places, targetMegabytes: 130 },
  ]
}

const sizeOf = (bytes: number): string => (bytes < 1e9 ? `${bytes / 1e6} MB` : `${bytes / 1e9} GB`)

async function rowOf(bench: Workbench, work: Case): Promise<MemoryRow> {
  const { source, spec, places, targetMegabytes } = work
  const reasons = places.map((place) => lacksRoom(place, needOf(place, spec, 1)))
  const place = places.find((_, index) => reasons[index] === undefined)
  const row = { source, targetMegabytes, fileSystem: place?.fileSystem ?? '-', sourceBytes: 0 }
  if (place === undefined) return { ...row, void: reasons.join('; ') }
  const dataset = datasetIn(place, spec, bench.log)
  return { ...row, sourceBytes: dataset.bytes, ...(await figuresOf(bench, place, dataset, source)) }
}

async function figuresOf(
  bench: Workbench,
  place: Place,
  dataset: Dataset,
  source: string,
): Promise<Pick<MemoryRow, 'void' | 'peakRssBytes' | 'wallSeconds' | 'flatness'>> {
  const all: Measured[] = []
  for (let run = 1; run <= (bench.options.runs ?? 1); run++) {
    bench.log(`${source}, run ${run} of ${bench.options.runs ?? 1}`)
    const measured = await runOnce(bench, place, dataset)
    if (measured.failure !== undefined) return { void: measured.failure }
    all.push(measured)
  }
  const worst = all.toSorted((a, b) => peakOf(b) - peakOf(a))[0]
  if (worst === undefined) return { void: 'no run' }
  const flatness = flatnessOf(worst.samples)
  return {
    peakRssBytes: peakOf(worst),
    wallSeconds: worst.usage.wallSeconds,
    ...(flatness === undefined ? {} : { flatness }),
  }
}

const peakOf = ({ usage }: Measured): number => usage.peakRssBytes ?? 0

async function runOnce(bench: Workbench, place: Place, dataset: Dataset): Promise<Measured> {
  const room = freshRoom(place)
  try {
    const contender = firstUpload(bench.options.program, dataset, ['--concurrency', String(lanes)])
    const trial = await contender.trial(room, bench)
    const measured = await measure(trial.command, { room, home: bench.home, sampleEveryMs })
    const fault = measured.failure ?? trial.fault?.()
    return fault === undefined ? measured : { ...measured, failure: fault }
  } finally {
    rmSync(room, { recursive: true, force: true })
  }
}
