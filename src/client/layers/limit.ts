import { LuminaError } from '../../errors.ts'
import type { CallContext, Layer } from '../destination.ts'
import { around } from './around.ts'
import { interruption } from '../interruption.ts'
import { systemTime, type Time } from './time.ts'

/** Lanes that wait look this often whether the run was told to stop. */
const checkpointMs = 200
/** A window must have seen so many calls for each slot, and last so long, before its rate says anything. */
const callsASlot = 2
const windowMs = 250
/** A gain below this is noise. */
const gain = 1.05
/** Windows at one limit before it is asked again whether more would bring more. */
const holdWindows = 16
/** What a call costs beside its bytes, as the bytes that travel in the same time: a round trip's worth. */
const callBytes = 65_536
/** Longer transfers count as large: of four slots they leave one to the small ones. */
const largeBytes = 1024 * 1024

export interface LimitOptions {
  /** Shared by all lanes: `createLimit()`. */
  limit: Int32Array
  maxConcurrency: number
  time?: Time
}

const cell = {
  inFlight: 0,
  largeInFlight: 1,
  limit: 2,
  /** What the limit was before its last growth. */
  before: 3,
  /** Windows until the next growth is tried. */
  hold: 4,
  /** The rate that a growth has to beat, in KiB a second. */
  best: 5,
  windowSinceMs: 6,
  windowCalls: 7,
  windowKiB: 8,
  /** Somebody had to wait in this window: else a higher limit would say nothing. */
  waited: 9,
  cutAtMs: 10,
} as const

/** The state that all lanes share: how many calls are under way, and how many may be. */
export function createLimit({
  concurrency,
  maxConcurrency,
}: {
  concurrency: number
  maxConcurrency: number
}): Int32Array {
  const limit = new Int32Array(new SharedArrayBuffer(4 * 11))
  limit[cell.limit] = limit[cell.before] = Math.min(concurrency, maxConcurrency)
  return limit
}

/** How many calls may be under way at once just now. */
export function limitNow(limit: Int32Array): number {
  return Atomics.load(limit, cell.limit)
}

/**
 * Lets only so many calls through at once, over all lanes: more for as long as that brings more through, half as many when the service
 * says that it is overloaded. It stands inside `retry`, so that a transfer that waits for its next try holds no slot.
 */
export function limitLayer(options: LimitOptions): Layer {
  const slots = new Slots(options)
  return (inner) =>
    around(inner, {
      call: (ctx, work) => slots.run(ctx, 0, () => work(ctx)),
      reading: (ctx, source, work) => slots.run(ctx, source.bytes, () => work(ctx, source)),
    })
}

class Slots {
  readonly #cells: Int32Array
  readonly #max: number
  readonly #time: Time

  constructor({ limit, maxConcurrency, time = systemTime }: LimitOptions) {
    this.#cells = limit
    this.#max = maxConcurrency
    this.#time = time
  }

  async run<T>(ctx: CallContext, bytes: number, work: () => Promise<T>): Promise<T> {
    const large = bytes > largeBytes
    await this.#acquire(ctx, large)
    const begunMs = this.#nowMs()
    try {
      const answer = await work()
      this.#went(bytes)
      return answer
    } catch (error) {
      if (error instanceof LuminaError && error.code === 'destination-busy') this.#cut(begunMs)
      throw error
    } finally {
      this.#release(large)
    }
  }

  /** Milliseconds in 31 bits: they overflow after 24 days, their differences don't. */
  #nowMs(): number {
    return Math.floor(this.#time.nowMs()) | 0
  }

  async #acquire(ctx: CallContext, large: boolean): Promise<void> {
    for (;;) {
      if (ctx.signal.aborted) throw interruption(ctx.signal)
      ctx.checkpoint()
      const seen = Atomics.load(this.#cells, cell.inFlight)
      if (this.#take(large)) return
      Atomics.store(this.#cells, cell.waited, 1)
      await untilChanged(this.#cells, seen, ctx.signal)
    }
  }

  #take(large: boolean): boolean {
    const cells = this.#cells
    const limit = Atomics.load(cells, cell.limit)
    if (large && !takeOne(cells, cell.largeInFlight, limit - Math.floor(limit / 4))) return false
    if (takeOne(cells, cell.inFlight, limit)) return true
    if (large) Atomics.sub(cells, cell.largeInFlight, 1)
    return false
  }

  #release(large: boolean): void {
    if (large) Atomics.sub(this.#cells, cell.largeInFlight, 1)
    Atomics.sub(this.#cells, cell.inFlight, 1)
    Atomics.notify(this.#cells, cell.inFlight)
  }

  #went(bytes: number): void {
    const cells = this.#cells
    Atomics.add(cells, cell.windowKiB, Math.ceil((bytes + callBytes) / 1024))
    const calls = Atomics.add(cells, cell.windowCalls, 1) + 1
    const sinceMs = Atomics.load(cells, cell.windowSinceMs)
    const nowMs = this.#nowMs()
    if (sinceMs === 0) return void Atomics.compareExchange(cells, cell.windowSinceMs, 0, nowMs || 1)
    const elapsedMs = (nowMs - sinceMs) | 0
    if (elapsedMs < windowMs || calls < callsASlot * Atomics.load(cells, cell.limit)) return
    // one lane closes a window
    if (Atomics.compareExchange(cells, cell.windowSinceMs, sinceMs, nowMs || 1) !== sinceMs) return
    Atomics.store(cells, cell.windowCalls, 0)
    const rate = Math.round((Atomics.exchange(cells, cell.windowKiB, 0) * 1000) / elapsedMs)
    if (Atomics.exchange(cells, cell.waited, 0) !== 0) this.#judge(rate)
  }

  /** Grows while that brings more through; else goes back to where it was, and asks again after a while. */
  #judge(rate: number): void {
    const cells = this.#cells
    const hold = Atomics.load(cells, cell.hold)
    const best = Atomics.load(cells, cell.best)
    if (hold > 0) {
      Atomics.store(cells, cell.hold, hold - 1)
      Atomics.store(cells, cell.best, Math.round((best * 3 + rate) / 4))
      if (hold === 1) this.#grow()
      return
    }
    if (rate > best * gain) {
      Atomics.store(cells, cell.best, rate)
      return this.#grow()
    }
    Atomics.store(cells, cell.limit, Atomics.load(cells, cell.before))
    Atomics.store(cells, cell.hold, holdWindows)
  }

  #grow(): void {
    const cells = this.#cells
    const limit = Atomics.load(cells, cell.limit)
    Atomics.store(cells, cell.before, limit)
    Atomics.store(cells, cell.limit, Math.min(this.#max, limit + Math.max(1, Math.floor(limit / 2))))
    Atomics.notify(cells, cell.inFlight)
  }

  /** Half as many, once for all the calls that were under way when the service first complained. */
  #cut(begunMs: number): void {
    const cells = this.#cells
    const cutAtMs = Atomics.load(cells, cell.cutAtMs)
    if (cutAtMs !== 0 && ((begunMs - cutAtMs) | 0) <= 0) return
    if (Atomics.compareExchange(cells, cell.cutAtMs, cutAtMs, this.#nowMs() || 1) !== cutAtMs) return
    const limit = Math.max(1, Math.floor(Atomics.load(cells, cell.limit) / 2))
    Atomics.store(cells, cell.limit, limit)
    Atomics.store(cells, cell.before, limit)
    Atomics.store(cells, cell.hold, holdWindows)
    Atomics.store(cells, cell.best, 0)
  }
}

function takeOne(cells: Int32Array, at: number, limit: number): boolean {
  for (let taken = Atomics.load(cells, at); taken < limit;) {
    const was = Atomics.compareExchange(cells, at, taken, taken + 1)
    if (was === taken) return true
    taken = was
  }
  return false
}

/** Resolves when a slot may be free, the signal is aborted, or it is time to look around. */
async function untilChanged(cells: Int32Array, seen: number, signal: AbortSignal): Promise<void> {
  const wait = Atomics.waitAsync(cells, cell.inFlight, seen, checkpointMs)
  if (!wait.async) return
  // a pending waitAsync alone doesn't keep a thread's event loop alive: https://github.com/nodejs/node/issues/44409
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>()
  const onAbort = (): void => wake()
  const timer = setTimeout(wake, checkpointMs)
  signal.addEventListener('abort', onAbort, { once: true })
  await Promise.race([wait.value, woken])
  clearTimeout(timer)
  signal.removeEventListener('abort', onAbort)
}
