import type { Sample } from './processes.ts'
import { meanOf } from './statistics.ts'

/** How a process's memory went over its run. */
export interface Flatness {
  readonly verdict: 'flat' | 'grows' | 'too short to tell'
  readonly firstThirdBytes: number
  readonly lastThirdBytes: number
  /** Between the middles of the two thirds. */
  readonly bytesPerMinute: number
  /** The highest of each fortieth of the run, oldest first. */
  readonly curve: readonly number[]
}

// Loading code and filling the first buffers is no growth.
const startMs = 1000
// Under this the garbage collector's saw has too few teeth for a mean.
const shortestMs = 5000
const grownFactor = 1.1
const curvePoints = 40

export function flatnessOf(samples: readonly Sample[]): Flatness | undefined {
  const startedMs = samples[0]?.atMs
  if (startedMs === undefined) return undefined
  const settled = samples.filter(({ atMs }) => atMs - startedMs >= startMs)
  const third = Math.max(1, Math.floor(settled.length / 3))
  const first = meanSample(settled.length === 0 ? samples : settled.slice(0, third))
  const last = meanSample(settled.length === 0 ? samples : settled.slice(-third))
  const durationMs = (samples.at(-1)?.atMs ?? startedMs) - startedMs
  return {
    verdict: durationMs < shortestMs ? 'too short to tell' : last.bytes > first.bytes * grownFactor ? 'grows' : 'flat',
    firstThirdBytes: first.bytes,
    lastThirdBytes: last.bytes,
    bytesPerMinute: last.atMs > first.atMs ? ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 60_000 : 0,
    curve: curveOf(samples),
  }
}

function meanSample(samples: readonly Sample[]): { bytes: number; atMs: number } {
  return { bytes: meanOf(samples.map((s) => s.rssBytes)), atMs: meanOf(samples.map((s) => s.atMs)) }
}

function curveOf(samples: readonly Sample[]): number[] {
  const points = Math.min(curvePoints, samples.length)
  return Array.from({ length: points }, (_, point) => {
    const from = Math.floor((point * samples.length) / points)
    const to = Math.floor(((point + 1) * samples.length) / points)
    return Math.max(...samples.slice(from, to).map((sample) => sample.rssBytes))
  })
}

const blocks = '▁▂▃▄▅▆▇█'

/** The curve as one line of text, from nothing to its highest point. */
export function drawCurve(curve: readonly number[]): string {
  const highest = Math.max(...curve)
  return curve.map((bytes) => blocks[Math.min(7, Math.floor((bytes / highest) * 8))] ?? '').join('')
}
