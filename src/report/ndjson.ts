import type { LuminaEvent, Reporter } from '../events.ts'
import type { Output } from './io.ts'
import { printableJson } from './printable.ts'

/** Of the contract in docs/events.md; raised only when a field goes away or changes its meaning. */
export const eventVersion = 1

/** One write of this size costs no more than one of a line. */
const batchCharacters = 16_384
/** Beyond it, the reader is behind for real, and the run has to wait for it. */
const maxWaitingBytes = 1 << 20
/** A program that reads events needs fewer of them than an eye needs redraws. */
const secondsBetweenProgress = 1

/** Events for programs: one JSON object a line. Half characters stand there as escapes, so that each line is valid UTF-8. */
export function createNdjsonReporter(stdout: Output): PacedReporter {
  const batch = createBatch((text) => void stdout.write(text))
  const isDue = createProgressGate(secondsBetweenProgress)
  return {
    wants: 'each',
    event(event) {
      if (isDue(event)) batch.add(`${printableJson({ v: eventVersion, ...event })}\n`)
    },
    close: batch.flush,
    drained: () => (stdout.writableLength < maxWaitingBytes || stdout.destroyed ? undefined : drainOf(stdout)),
  }
}

/** A reporter whose reader may be slower than the run. */
export interface PacedReporter extends Reporter {
  /** Undefined when there is room; else resolved when there is again. Awaited between batches, it keeps memory from growing. */
  drained(): Promise<void> | undefined
}

function drainOf(stream: Output): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) stream.once(event, done)
  })
}

export interface Batch {
  add(line: string): void
  flush: () => void
}

/** Collects the lines of one turn of the event loop into few writes. */
export function createBatch(write: (text: string) => void): Batch {
  let waiting = ''
  let timer: NodeJS.Immediate | undefined
  const flush = (): void => {
    clearImmediate(timer)
    timer = undefined
    if (waiting !== '') write(waiting)
    waiting = ''
  }
  return {
    flush,
    add(line) {
      waiting += line
      if (waiting.length >= batchCharacters) flush()
      else timer ??= setImmediate(flush)
    },
  }
}

/** Lets every event through, but `progress` only so often. */
export function createProgressGate(seconds: number): (event: LuminaEvent) => boolean {
  let nextSeconds = 0
  return (event) => {
    if (event.event !== 'progress') return true
    if (event.seconds < nextSeconds) return false
    nextSeconds = event.seconds + seconds
    return true
  }
}
