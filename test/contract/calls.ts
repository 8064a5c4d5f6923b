import type { CallContext } from '../../src/client/destination.ts'
import { LuminaError } from '../../src/errors.ts'

export interface Call extends CallContext {
  /** As the second Ctrl-C: the signal and every checkpoint say so. */
  abort(): void
  /** What `progress` was told, in order. */
  readonly sent: number[]
  /** What `retrying` was told, in order. */
  readonly retries: { attempt: number; delayMs: number; error: unknown }[]
}

export function call(): Call {
  const controller = new AbortController()
  const sent: number[] = []
  const retries: Call['retries'] = []
  return {
    signal: controller.signal,
    sent,
    retries,
    abort: () => controller.abort(new LuminaError('interrupted', 'The test has stopped the run.')),
    checkpoint: () => controller.signal.throwIfAborted(),
    progress: (sentBytes) => sent.push(sentBytes),
    retrying: (attempt, delayMs, error) => retries.push({ attempt, delayMs, error }),
  }
}

/** The `LuminaError` that `work` ends with. */
export async function failureOf(work: Promise<unknown> | undefined): Promise<LuminaError> {
  try {
    await work
  } catch (error) {
    if (error instanceof LuminaError) return error
    throw error
  }
  throw new Error('It should have failed.')
}

export async function codeOf(work: Promise<unknown> | undefined): Promise<string> {
  return (await failureOf(work)).code
}

/** Which way `work` went, where either is right. */
export async function settled(work: Promise<unknown> | undefined): Promise<'fulfilled' | 'rejected'> {
  const [{ status }] = await Promise.allSettled([work])
  return status
}
