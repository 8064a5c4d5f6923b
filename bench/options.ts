import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const benchmarkNames = ['rerun', 'photos', 'photos-disk', 'small', 'memory', 'start', 'service'] as const
export type BenchmarkName = (typeof benchmarkNames)[number]

export interface Options {
  readonly benchmarks: readonly BenchmarkName[]
  /** Pairs for each comparison; `memory` runs once unless the person says otherwise. */
  readonly runs: number | undefined
  /** Multiplies file counts; the targets are for 1. */
  readonly scale: number
  /** The 10 GB file and the million files as well. */
  readonly full: boolean
  readonly jsonFile: string | undefined
  readonly markdown: boolean
  /** What `node` is given: the built program, or another build of it. */
  readonly program: string
}

export class UsageError extends Error {}

export const usage = `npm run bench -- [names...] [options]

  names            ${benchmarkNames.join(', ')} (all of them by default)
  --runs N         pairs for each comparison (5; memory: 1)
  --quick          a look that takes a minute: --scale 0.05 --runs 2
  --scale F        multiplies the number of files; targets are meant for 1
  --full           memory: also one 10 GB file, and 1,000,000 files instead of 100,000
  --json FILE      every single run, for later
  --markdown       tables for a document
  --program FILE   another build, e.g. ../before/bin/lumina.js

  LUMINA_BENCH_DIR    data and libraries on a real disk (a folder in the system's temporary one)
  LUMINA_BENCH_TMPFS  the same in memory (/dev/shm/lumina-bench)`

const ourProgram = resolve(import.meta.dirname, '../bin/lumina.js')

/** The options of a command line, or undefined where it asks for help. */
export function optionsOf(argv: readonly string[]): Options | undefined {
  const { values, positionals } = parse(argv)
  if (values.help) return undefined
  return {
    benchmarks: positionals.length === 0 ? benchmarkNames : positionals.map(benchmarkNamed),
    runs: values.runs === undefined ? (values.quick ? 2 : undefined) : wholeNumber(values.runs),
    scale: values.scale === undefined ? (values.quick ? 0.05 : 1) : positiveNumber(values.scale),
    full: values.full,
    jsonFile: values.json,
    markdown: values.markdown,
    program: values.program === undefined ? ourProgram : resolve(values.program),
  }
}

function parse(argv: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const
  const text = { type: 'string' } as const
  const options = {
    runs: text,
    scale: text,
    json: text,
    program: text,
    quick: flag,
    full: flag,
    markdown: flag,
    help: { ...flag, short: 'h' },
  } as const
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function benchmarkNamed(word: string): BenchmarkName {
  const name = benchmarkNames.find((candidate) => candidate === word)
  if (name === undefined) throw new UsageError(`no benchmark '${word}': ${benchmarkNames.join(', ')}`)
  return name
}

function wholeNumber(word: string): number {
  const number = positiveNumber(word)
  if (!Number.isInteger(number)) throw new UsageError(`'${word}' is no whole number`)
  return number
}

function positiveNumber(word: string): number {
  const number = Number(word)
  if (!(number > 0 && Number.isFinite(number))) throw new UsageError(`'${word}' is no number above 0`)
  return number
}
