import { interruption } from '../../src/client/interruption.ts'
import type { Time } from '../../src/client/layers/time.ts'

export interface FakeTime extends Time {
  /** Every wait, in order. */
  readonly slept: number[]
  advance(ms: number): void
}

/** Time that passes only when somebody sleeps: at once, and for all. */
export function fakeTime(startMs = 1_000_000): FakeTime {
  let nowMs = startMs
  const slept: number[] = []
  return {
    slept,
    nowMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms
    },
    async sleep(delayMs, signal) {
      if (signal.aborted) throw interruption(signal)
      slept.push(delayMs)
      nowMs += delayMs
      await Promise.resolve()
      if (signal.aborted) throw interruption(signal)
    },
  }
}
