import type { Command } from './measure.ts'
import type { Surroundings } from './workbench.ts'

/** Somebody who does a benchmark's work: we, or a peer. */
export interface Contender {
  readonly name: string
  /** What it does more or less than the others, in one line, so that nobody compares the seconds alone. */
  readonly besides: string
  /** Brings everything up to the timed command; `room` is empty, this run's alone, and removed afterwards. */
  trial(room: string, around: Surroundings): Promise<Trial>
}

export interface Trial {
  readonly command: Command
  /** After the run: what is wrong with its result, or undefined. */
  readonly fault?: () => string | undefined
  /** How often the command does the work; the figures are for once. */
  readonly repeats?: number
  /** The wall time is divided by this: one core's work, as if it spread perfectly. */
  readonly idealCores?: number
}

/** What the issue asks for; the figures are wall times. */
export type Target =
  | { readonly peerOverLuminaAtLeast: number }
  | { readonly luminaOverPeerAtMost: number }
  | { readonly none: string }
