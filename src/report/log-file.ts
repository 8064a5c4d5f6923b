import { closeSync, openSync, writeSync } from 'node:fs'

import { LuminaError } from '../errors.ts'
import type { Reporter } from '../events.ts'
import { createBatch, createProgressGate, eventVersion } from './ndjson.ts'
import { printableJson } from './printable.ts'

/** Hours of a run stay readable. */
const secondsBetweenProgress = 60

export interface LogFileOptions {
  path: string
  now: () => number
  /** Told once when the log can no longer be written; the run goes on without it. */
  lost: (message: string) => void
}

/**
 * Appends every event to a file, as NDJSON with the time in `at`. Names of photos are private: the file is made for its owner alone.
 * @throws `usage` when it cannot be opened
 */
export function createLogFile({ path, now, lost }: LogFileOptions): Reporter {
  let fd: number | undefined = opened(path)
  const close = (): void => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
  const batch = createBatch((text) => {
    try {
      if (fd !== undefined) appendAll(fd, text)
    } catch (error) {
      close()
      lost(`the log ${path} cannot be written any more: ${(error as Error).message}`)
    }
  })
  const isDue = createProgressGate(secondsBetweenProgress)
  return {
    wants: 'each',
    event(event) {
      if (isDue(event))
        batch.add(`${printableJson({ v: eventVersion, at: new Date(now()).toISOString(), ...event })}\n`)
    },
    close() {
      batch.flush()
      close()
    },
  }
}

function opened(path: string): number {
  try {
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw new LuminaError('usage', `the log file cannot be opened: ${(error as Error).message}`, {
      hint: 'its folder has to be there and writable',
      cause: error,
    })
  }
}

function appendAll(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}
