import { type ErrorCode, LuminaError } from '../../errors.ts'
import type { CallContext, Layer, Resumable, ResumeToken, Source } from '../destination.ts'
import { around, type CallClass, withContext } from './around.ts'
import { systemTime, type Time } from './time.ts'

/** A lost packet or a worker that restarts is over within this; longer would be felt on every blip. */
const firstDelayMs = 100
/** A service that has too much to do is not helped by who is back at once. */
const firstBusyDelayMs = 1000
/** Where waiting longer brings nothing but idle lanes: an outage of minutes is the budget's matter. */
const maxDelayMs = 30_000
/** A service that asks for more than this is better asked by the next run. */
const longestAskedMs = 5 * 60_000
/** How long a service may answer nothing but failures before nobody waits for it any more: a restart or a failover fits in. */
const budgetMs = 60_000
/** Sleeping lanes look this often whether the run was told to stop. */
const checkpointMs = 200

/** More than a connection holds that nobody reads at its other end: where so much has left, some has arrived. */
const provenBytes = 8 * 1024 * 1024

/** Failures that say something about the destination, not about one asset. */
const ofTheDestination: ReadonlySet<ErrorCode> = new Set([
  'destination-unreachable',
  'destination-busy',
  'io',
  'unconfirmed',
])

/** What only opening the source anew can help, which is not ours to do: it is passed on, still `transient`. */
const ofTheSource: ReadonlySet<ErrorCode> = new Set(['changed-while-reading'])

export interface RetryOptions {
  /** Further tries of one call after its first, counted anew whenever bytes get through. */
  retries: number
  /**
   * For services, which come back: one that was reached and is not any more is asked until the budget is spent, since giving it up
   * ends the run; and once it is spent, one that is too busy for everybody counts as out of reach. Without retries there is no patience.
   */
  patient?: boolean
  /** Shared by all lanes: `retryBudget()`. */
  budget?: Int32Array
  time?: Time
  /** Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
  random?: () => number
}

/**
 * The run's patience, shared by all lanes: since when calls that ask, and calls that change something, have done
 * nothing but fail (0: they have not), and whether any call ever got through. A service that answers the one and refuses the
 * other is as dead for its purpose.
 */
export function retryBudget(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(12))
}

/** Whether nothing has got through for so long that waiting is over: calls are still tried, but once. */
export function budgetSpent(budget: Int32Array, nowMs: number = systemTime.nowMs()): boolean {
  return Object.values(cells).some((cell) => {
    const sinceMs = Atomics.load(budget, cell)
    // 32 bits of a monotonic clock overflow after 25 days; their difference doesn't
    return sinceMs !== 0 && ((Math.floor(nowMs) - sinceMs) | 0) >= budgetMs
  })
}

const cells = { ask: 0, change: 1 } as const
const reachedCell = 2

/** Asks again, after a while, what failed for reasons that may pass; marks the error `exhausted` when it gives up. */
export function retryLayer(options: RetryOptions): Layer {
  const all = { random: Math.random, time: systemTime, budget: retryBudget(), patient: false, ...options }
  const tries = (ctx: CallContext, what: CallClass): Tries => new Tries(ctx, what, all)

  return (inner) => {
    const get = inner.get?.bind(inner)
    const list = inner.list?.bind(inner)
    const { resumable } = inner
    const outer = around(inner, {
      call: (ctx, work, what) => retried(tries(ctx, what), () => work(ctx)),
    })
    return {
      ...outer,
      // its first try; `put` makes the others
      ...(inner.putHeld && { putHeld: inner.putHeld.bind(inner) }),
      ...(get && { get: (key, from, ctx) => resumedGet((at) => get(key, at, ctx), from, tries(ctx, 'ask')) }),
      ...(list && { list: (prefix, ctx) => resumedList(() => list(prefix, ctx), tries(ctx, 'ask')) }),
      ...(resumable &&
        outer.resumable && {
          resumable: {
            ...outer.resumable,
            // that a transfer can be begun says nothing of whether its bytes get through
            begin: (key, source, ctx) =>
              retried(tries(ctx, 'change'), () => resumable.begin(key, source, ctx), { proves: false }),
            append: (token, source, offset, ctx) => append(resumable, token, source, offset, ctx, tries(ctx, 'change')),
          },
        }),
    }
  }
}

async function retried<T>(tries: Tries, work: () => Promise<T>, { proves = true } = {}): Promise<T> {
  for (;;) {
    try {
      const answer = await work()
      if (proves) tries.succeeded()
      return answer
    } catch (error) {
      await tries.failed(error)
    }
  }
}

/** Goes on from what the destination then holds, never from where we believe to have been. */
async function append(
  resumable: Resumable,
  token: ResumeToken,
  source: Source,
  offset: number,
  ctx: CallContext,
  tries: Tries,
): Promise<number> {
  let proven = offset
  const onProgress = (sentBytes: number): void => {
    if (!tries.provenBy(sentBytes - proven)) return
    proven = sentBytes
    tries.succeeded()
  }
  const inside = withContext(ctx, { onProgress })
  let held = offset
  let from: number | undefined = offset
  for (;;) {
    try {
      from ??= await resumable.offset(token, source, ctx)
      if (from !== undefined && from > held) tries.succeeded()
      held = proven = Math.max(held, from ?? 0)
      if (from === undefined) throw new LuminaError('not-found', 'The destination has forgotten the transfer.')
      if (from === source.bytes) return from
      return await resumable.append(token, source, from, inside)
    } catch (error) {
      await tries.failed(error)
      from = undefined
    }
  }
}

async function* resumedGet(
  open: (from: number) => AsyncIterable<Uint8Array>,
  from: number,
  tries: Tries,
): AsyncGenerator<Uint8Array> {
  for (let at = from; ;) {
    try {
      for await (const chunk of open(at)) {
        tries.succeeded()
        at += chunk.length
        yield chunk
      }
      return tries.succeeded()
    } catch (error) {
      await tries.failed(error)
    }
  }
}

/** Lists again from the start, and drops what was there up to the last item given. */
async function* resumedList<T extends { key: string }>(open: () => AsyncIterable<T>, tries: Tries): AsyncGenerator<T> {
  let last: string | undefined
  for (;;) {
    try {
      let skipping = last !== undefined
      for await (const item of open()) {
        if (skipping) {
          skipping = item.key !== last
          continue
        }
        tries.succeeded()
        last = item.key
        yield item
      }
      if (skipping)
        throw new LuminaError('destination-busy', 'The destination changed while it was listed.', {
          retry: 'exhausted',
        })
      return tries.succeeded()
    } catch (error) {
      await tries.failed(error)
    }
  }
}

/** The tries of one call. */
class Tries {
  readonly #ctx: CallContext
  readonly #cell: 0 | 1
  readonly #options: Required<RetryOptions>
  #failures = 0

  constructor(ctx: CallContext, what: CallClass, options: Required<RetryOptions>) {
    this.#ctx = ctx
    this.#cell = cells[what]
    this.#options = options
  }

  succeeded(): void {
    this.#failures = 0
    const { budget } = this.#options
    if (Atomics.load(budget, this.#cell) !== 0) Atomics.store(budget, this.#cell, 0)
    if (Atomics.load(budget, reachedCell) === 0) Atomics.store(budget, reachedCell, 1)
  }

  /** Whether `sentBytes` more show that the destination takes some: what is on its way to a service may never arrive. */
  provenBy(sentBytes: number): boolean {
    return this.#options.patient ? sentBytes >= provenBytes : true
  }

  /** Returns when it is time for the next try; throws when there is none. */
  async failed(error: unknown): Promise<void> {
    if (!(error instanceof LuminaError) || error.retry !== 'transient' || ofTheSource.has(error.code)) throw error
    const { random, time, budget } = this.#options
    this.#failures++
    const nowMs = time.nowMs()
    if (ofTheDestination.has(error.code)) Atomics.compareExchange(budget, this.#cell, 0, Math.floor(nowMs) | 0 || 1)
    const askedMs = error.retryAfterMs ?? 0
    if (budgetSpent(budget, nowMs)) throw exhausted(error, this.#codeOfTheDead(error))
    if (askedMs > longestAskedMs || (this.#isLast() && !this.#isAway(error))) throw exhausted(error)

    // full jitter comes on top of what was asked for, so that the lanes don't all come back at that very moment
    const delayMs = askedMs + random() * Math.min(maxDelayMs, this.#firstDelayMs(error) * 2 ** (this.#failures - 1))
    this.#ctx.checkpoint()
    this.#ctx.retrying?.(this.#failures + 1, delayMs, error)
    await this.#wait(delayMs)
  }

  #firstDelayMs({ code }: LuminaError): number {
    return this.#options.patient && code === 'destination-busy' ? firstBusyDelayMs : firstDelayMs
  }

  #isLast(): boolean {
    return this.#failures > this.#options.retries
  }

  /** A wrong address is never reached, and told at once. */
  #isAway({ code }: LuminaError): boolean {
    const { patient, retries, budget } = this.#options
    return patient && retries > 0 && code === 'destination-unreachable' && Atomics.load(budget, reachedCell) !== 0
  }

  /** Only what is out of reach ends the run; all the other assets would learn one by one that it is. */
  #codeOfTheDead({ code }: LuminaError): ErrorCode {
    return this.#options.patient && code === 'destination-busy' ? 'destination-unreachable' : code
  }

  async #wait(delayMs: number): Promise<void> {
    for (let leftMs = delayMs; leftMs > 0; leftMs -= checkpointMs) {
      await this.#options.time.sleep(Math.min(leftMs, checkpointMs), this.#ctx.signal)
      this.#ctx.checkpoint()
    }
  }
}

function exhausted(error: LuminaError, code: ErrorCode = error.code): LuminaError {
  return new LuminaError(code, error.message, {
    retry: 'exhausted',
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  })
}
