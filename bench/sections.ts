import type { Flatness } from './flatness.ts'
import type { BenchmarkName } from './options.ts'
import type { Comparison } from './pairs.ts'

interface Titled {
  readonly benchmark: BenchmarkName
  readonly title: string
}

/** What a benchmark found. */
export type Section = PairsSection | MemorySection | EmptySection

export interface PairsSection extends Titled {
  readonly kind: 'pairs'
  readonly comparisons: readonly Comparison[]
}

export interface MemorySection extends Titled {
  readonly kind: 'memory'
  readonly rows: readonly MemoryRow[]
}

/** No figures: `skipped` for want of something on this machine, `void` since a contender failed. */
interface EmptySection extends Titled {
  readonly kind: 'skipped' | 'void'
  readonly reason: string
}

export interface MemoryRow {
  readonly source: string
  readonly fileSystem: string
  readonly targetMegabytes: number
  /** The highest of all runs. */
  readonly peakRssBytes?: number
  readonly wallSeconds?: number
  readonly sourceBytes: number
  readonly flatness?: Flatness
  /** Why there is no figure. */
  readonly void?: string
}
