import { availableParallelism } from 'node:os'

import type { Options } from './options.ts'
import type { Place } from './places.ts'

/** What every measured command is told and given. */
export interface Surroundings {
  /** One home folder for the whole bench: a program's own caches are warm, a person's settings are absent. */
  readonly home: string
}

/** What a benchmark works with. */
export interface Workbench extends Surroundings {
  readonly options: Options
  readonly disk: Place
  /** In memory, or why there is none. */
  readonly tmpfs: Place | string
  /** For the person who waits, never part of the result. */
  readonly log: (line: string) => void
}

export const defaultRuns = 5
export const cores = availableParallelism()

export const scaled = (bench: Workbench, files: number): number => Math.max(1, Math.round(files * bench.options.scale))
