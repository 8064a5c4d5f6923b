import { LuminaError } from '../../errors.ts'
import type { CallContext, Layer, Source } from '../destination.ts'
import { around, oneByOne, withContext, withRead } from './around.ts'
import { interruption } from '../interruption.ts'
import { systemTime, type Time } from './time.ts'

export interface TimeoutOptions {
  /** How long a call may do nothing: no byte of the source read, none taken, no answer. */
  idleMs: number
  time?: Time
}

/** Ends a call that has come to a standstill, as something that may pass; one that goes on slowly may take for ever. */
export function timeoutLayer({ idleMs, time = systemTime }: TimeoutOptions): Layer {
  const watch = (ctx: CallContext): Watch => new Watch(ctx, idleMs, time)
  return (inner) =>
    around(inner, {
      call: (ctx, work) => {
        const watched = watch(ctx)
        return watched.race(
          () => work(watched.ctx),
          () => watched.close(),
        )
      },
      reading: (ctx, source, work) => {
        const watched = watch(ctx)
        return watched.race(
          () => work(watched.ctx, watched.source(source)),
          () => watched.close(),
        )
      },
      items: (ctx, open) => {
        const watched = watch(ctx)
        return closing(
          oneByOne(open(watched.ctx), (next) => watched.race(next)),
          () => watched.close(),
        )
      },
    })
}

async function* closing<T>(items: AsyncIterable<T>, close: () => void): AsyncGenerator<T> {
  try {
    yield* items
  } finally {
    close()
  }
}

/** Made once: an abort without a reason makes an error with its stack, for each call anew. */
const over = new LuminaError('interrupted', 'The call is over.')

/** Watches over one call, which gets a signal of its own. */
class Watch {
  readonly ctx: CallContext
  readonly #outer: AbortSignal
  readonly #own = new AbortController()
  readonly #idleMs: number
  readonly #time: Time
  #lastMs: number
  #reading = 0

  constructor(ctx: CallContext, idleMs: number, time: Time) {
    this.#outer = ctx.signal
    this.#idleMs = idleMs
    this.#time = time
    this.#lastMs = time.nowMs()
    this.ctx = withContext(ctx, { signal: this.#own.signal, onProgress: () => this.#moved() })
    if (ctx.signal.aborted) this.#forward()
    else ctx.signal.addEventListener('abort', this.#forward, { once: true })
  }

  readonly #forward = (): void => this.#own.abort(this.#outer.reason)

  close(): void {
    this.#outer.removeEventListener('abort', this.#forward)
  }

  #moved(): void {
    this.#lastMs = this.#time.nowMs()
  }

  /** What a call that was given up still reads is refused: its file may be closed, and the descriptor another's, by then. */
  source(source: Source): Source {
    const read = (got: number): number => {
      this.#reading--
      this.#moved()
      return got
    }
    const failed = (error: unknown): never => {
      this.#reading--
      throw error
    }
    return withRead(source, (into, offset) => {
      if (this.#own.signal.aborted) throw interruption(this.#own.signal)
      this.#reading++
      let got: number | Promise<number>
      try {
        got = source.read(into, offset)
      } catch (error) {
        return failed(error)
      }
      return typeof got === 'number' ? read(got) : got.then(read, failed)
    })
  }

  async race<T>(work: () => Promise<T>, settled?: () => void): Promise<T> {
    const done = new AbortController()
    this.#moved()
    try {
      return await Promise.race([work(), this.#standstill(done.signal)])
    } finally {
      done.abort(over)
      settled?.()
    }
  }

  /** Rejects when nothing has moved for too long. */
  async #standstill(done: AbortSignal): Promise<never> {
    for (;;) {
      const leftMs = this.#lastMs + this.#idleMs - this.#time.nowMs()
      if (leftMs <= 0) break
      await this.#time.sleep(leftMs, done)
    }
    // it was told to stop, and did not
    if (this.#own.signal.aborted) throw interruption(this.#own.signal)
    const error = this.#error()
    this.#own.abort(error)
    throw error
  }

  #error(): LuminaError {
    const seconds = this.#idleMs / 1000
    return this.#reading > 0
      ? new LuminaError('io', `The file gave no byte for ${seconds} s.`, {
          retry: 'transient',
          hint: 'Is its disk or network share still there?',
        })
      : new LuminaError('destination-unreachable', `The destination did not answer for ${seconds} s.`, {
          retry: 'transient',
        })
  }
}
