import type { Readable, Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'

import { LuminaError, systemCode } from '../errors.ts'

export type Input = Readable & { readonly isTTY?: boolean | undefined }
export type Output = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined }

/** What a command may touch of the process it runs in. stdout is the result, stderr is for people. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly now: () => number
  /**
   * Aborted when stdout takes no more: the command ends in good order, as after a first Ctrl-C. Its reason is a `LuminaError`,
   * except when the reader simply went away (EPIPE).
   */
  readonly hangup: AbortSignal
}

/** What a shell calls the end by SIGPIPE: 128 + 13. */
export const exitCodeOfHangup = 141

/** The real process. Called once: it takes over the errors of stdout and stderr. */
export function processIo(): Io {
  const hangup = new AbortController()
  process.stdout.on('error', (error) => hangup.abort(reasonOf(error)))
  // Whoever read the messages is gone; the photos still have to arrive.
  process.stderr.on('error', () => {})
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    get cwd() {
      return currentFolder()
    },
    now: Date.now,
    hangup: hangup.signal,
  }
}

function currentFolder(): string {
  try {
    return process.cwd()
  } catch (error) {
    throw new LuminaError('no-such-path', 'the folder you are in does not exist any more', {
      hint: 'cd to another one',
      cause: error,
    })
  }
}

function reasonOf(error: Error): Error {
  if (systemCode(error) === 'EPIPE') return error
  return new LuminaError('io', `stdout cannot be written: ${error.message}`, { cause: error })
}

/** Waits until everything written has left this process, or nobody takes it; errors of the last write have then been told. */
export async function flushed(stream: Output): Promise<void> {
  if (!stream.destroyed && stream.writable) {
    await new Promise<void>((resolve) => {
      stream.once('close', resolve)
      stream.write('', () => resolve())
    })
  }
  await nextTurn()
}
