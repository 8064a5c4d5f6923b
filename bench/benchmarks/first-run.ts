import { rmSync } from 'node:fs'

import type { Contender } from '../contender.ts'
import { datasetIn, needOf, type Dataset, type DatasetSpec } from '../datasets.ts'
import { firstUpload } from '../lumina.ts'
import { measure } from '../measure.ts'
import type { BenchmarkName } from '../options.ts'
import { compareAll, type Rival } from '../pairs.ts'
import { freshRoom, lacksRoom, type Place } from '../places.ts'
import type { Section } from '../sections.ts'
import { warmUp } from '../tree.ts'
import type { Workbench } from '../workbench.ts'

export interface FirstRun {
  readonly benchmark: BenchmarkName
  readonly title: string
  readonly spec: DatasetSpec
  rivals(source: Dataset): Rival[]
}

export async function firstRunInMemory(bench: Workbench, run: FirstRun): Promise<Section> {
  const { benchmark, title } = run
  if (typeof bench.tmpfs === 'string') return { kind: 'skipped', benchmark, title, reason: bench.tmpfs }
  return firstRun(bench, bench.tmpfs, run)
}

/** A first run into a new library, against whoever copies the same files into a new folder. */
export async function firstRun(bench: Workbench, place: Place, run: FirstRun): Promise<Section> {
  const named = { benchmark: run.benchmark, title: `${run.title}, on ${place.fileSystem}` }
  const reason = lacksRoom(place, needOf(place, run.spec, 1))
  if (reason !== undefined) return { kind: 'skipped', ...named, reason }
  const source = datasetIn(place, run.spec, bench.log)
  warmUp(source.path)
  const ours = firstUpload(bench.options.program, source)
  bench.log(`${run.title}: a rehearsal, untimed`)
  await rehearse(bench, place, ours)
  return { kind: 'pairs', ...named, comparisons: await compareAll(bench, place, ours, run.rivals(source)) }
}

/**
 * One untimed run: no timed one is the first to compile, nor, in a virtual machine, the first to touch memory that the host
 * hasn't handed out yet (which took twice as long). That it fails is for the timed ones to say.
 */
async function rehearse(bench: Workbench, place: Place, contender: Contender): Promise<void> {
  const room = freshRoom(place)
  const { command } = await contender.trial(room, bench)
  await measure(command, { room, home: bench.home })
  rmSync(room, { recursive: true, force: true })
}
