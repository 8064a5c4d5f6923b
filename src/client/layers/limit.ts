import { LuminaError } from '../../errors.ts'
import type { CallContext, Layer, Source } from '../destination.ts'
import { around, withRead } from './around.ts'
import { interruption } from '../interruption.ts'
import { systemTime, type Time } from './time.ts'

/** Lanes that wait look this often whether the run was told to stop. */
const checkpointMs = 200
/** A window must have seen so many calls, or large parts of one, for each slot, and last so long, before its rate says anything. */
const callsASlot = 2
const windowMs = 250
/** A gain below this is noise. */
const gain = 1.05
/** Windows at one limit before it is asked again whether more would bring more. */
const holdWindows = 16
/** What a call costs beside its bytes, as the bytes that travel in the same time: a round trip's worth. */
const callBytes = 65_536
/** Longer transfers count as large: of four slots they leave one to the small ones. Each part as long is as good as a call. */
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
  waitingSmall: 11,
  waitingLarge: 12,
  /** What the waiting sleep on: it changes when one of them is woken. */
  wokenSmall: 13,
  wokenLarge: 14,
  turn: 15,
} as const
const cellCount = 16

/** The state that all lanes share: how many calls are under way, and how many may be. */
export function createLimit({
  concurrency,
  maxConcurrency,
}: {
  concurrency: number
  maxConcurrency: number
}): Int32Array {
  const limit = new Int32Array(new SharedArrayBuffer(4 * cellCount))
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
  return (inner) => {
    const { resumable } = inner
    const outer = around(inner, {
      call: (ctx, work) => slots.run(ctx, 'small', () => work(ctx)),
      reading: (ctx, source, work) => slots.run(ctx, sizeOf(source), () => work(ctx, slots.counted(source))),
    })
    return {
      ...outer,
      ...(resumable &&
        outer.resumable && {
          resumable: {
            ...outer.resumable,
            // they know the source and send nothing of it: they need not wait until a large transfer has ended
            offset: (token, source, ctx) => slots.run(ctx, 'small', () => resumable.offset(token, source, ctx)),
            finish: (token, key, source, ctx) =>
              slots.run(ctx, 'small', () => resumable.finish(token, key, source, ctx)),
          },
        }),
    }
  }
}

type Size = 'small' | 'large'

const sizeOf = ({ bytes }: Source): Size => (bytes > largeBytes ? 'large' : 'small')

class Slots {
  readonly #cells: Int32Array
  readonly #max: number
  readonly #time: Time

  constructor({ limit, maxConcurrency, time = systemTime }: LimitOptions) {
    this.#cells = limit
    this.#max = maxConcurrency
    this.#time = time
  }

  async run<T>(ctx: CallContext, size: Size, work: () => Promise<T>): Promise<T> {
    await this.#acquire(ctx, size)
    const begunMs = this.#nowMs()
    try {
      const answer = await work()
      Atomics.add(this.#cells, cell.windowKiB, callBytes / 1024)
      this.#went()
      return answer
    } catch (error) {
      if (error instanceof LuminaError && error.code === 'destination-busy') this.#cut(begunMs)
      throw error
    } finally {
      this.#release(size)
    }
  }

  /** `source`, whose bytes count as they go: a transfer of an hour tells how well it goes before its end. */
  counted(source: Source): Source {
    let uncounted = 0
    const count = (got: number): number => {
      Atomics.add(this.#cells, cell.windowKiB, Math.ceil(got / 1024))
      uncounted += got
      if (uncounted >= largeBytes) {
        uncounted = 0
        this.#went()
      }
      return got
    }
    return withRead(source, (into, offset) => {
      const got = source.read(into, offset)
      return typeof got === 'number' ? count(got) : got.then(count)
    })
  }

  /** Milliseconds in 31 bits: they overflow after 24 days, their differences don't. */
  #nowMs(): number {
    return Math.floor(this.#time.nowMs()) | 0
  }

  async #acquire(ctx: CallContext, size: Size): Promise<void> {
    const cells = this.#cells
    const [waiting, woken] = queueOf(size)
    let seen = Atomics.load(cells, woken)
    check(ctx)
    if (!this.#isQueued(size) && this.#take(size)) return
    Atomics.add(cells, waiting, 1)
    try {
      do {
        Atomics.store(cells, cell.waited, 1)
        await untilChanged(cells, woken, seen, ctx.signal)
        seen = Atomics.load(cells, woken)
        check(ctx)
      } while (!this.#take(size))
    } finally {
      Atomics.sub(cells, waiting, 1)
      // there may be more than one slot, or this one is left to another
      this.#wakeNext()
    }
  }

  /**
   * Whether somebody waits who could have the slot: who comes anew stands behind. Else a lane that asks again at once, whenever its slot
   * is free, is always there before those who first have to wake up.
   */
  #isQueued(size: Size): boolean {
    const cells = this.#cells
    if (Atomics.load(cells, cell.waitingSmall) > 0) return true
    if (Atomics.load(cells, cell.waitingLarge) === 0) return false
    return size === 'large' || Atomics.load(cells, cell.largeInFlight) < mostLarge(Atomics.load(cells, cell.limit))
  }

  #take(size: Size): boolean {
    const cells = this.#cells
    const limit = Atomics.load(cells, cell.limit)
    if (size === 'large' && !takeOne(cells, cell.largeInFlight, mostLarge(limit))) return false
    if (takeOne(cells, cell.inFlight, limit)) return true
    if (size === 'large') Atomics.sub(cells, cell.largeInFlight, 1)
    return false
  }

  #release(size: Size): void {
    if (size === 'large') Atomics.sub(this.#cells, cell.largeInFlight, 1)
    Atomics.sub(this.#cells, cell.inFlight, 1)
    this.#wakeNext()
  }

  /** Wakes the first of those who could have a slot, by turns small and large: neither is ever left to starve. */
  #wakeNext(): void {
    const cells = this.#cells
    const limit = Atomics.load(cells, cell.limit)
    if (Atomics.load(cells, cell.inFlight) >= limit) return
    const small = Atomics.load(cells, cell.waitingSmall) > 0
    const large =
      Atomics.load(cells, cell.waitingLarge) > 0 && Atomics.load(cells, cell.largeInFlight) < mostLarge(limit)
    if (!small && !large) return
    const isLargesTurn = large && (!small || (Atomics.add(cells, cell.turn, 1) & 1) === 0)
    const [, woken] = queueOf(isLargesTurn ? 'large' : 'small')
    Atomics.add(cells, woken, 1)
    Atomics.notify(cells, woken, 1)
  }

  /** A call has ended, or a large part of one has gone. */
  #went(): void {
    const cells = this.#cells
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
    const waited = Atomics.exchange(cells, cell.waited, 0) !== 0
    const waiting = Atomics.load(cells, cell.waitingSmall) + Atomics.load(cells, cell.waitingLarge)
    if (waited || waiting > 0) this.#judge(rate)
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
    this.#wakeNext()
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

function queueOf(size: Size): readonly [waiting: number, woken: number] {
  return size === 'large' ? [cell.waitingLarge, cell.wokenLarge] : [cell.waitingSmall, cell.wokenSmall]
}

function check(ctx: CallContext): void {
  if (ctx.signal.aborted) throw interruption(ctx.signal)
  ctx.checkpoint()
}

/** How many of `limit` slots large transfers may have. */
function mostLarge(limit: number): number {
  return limit - Math.floor(limit / 4)
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
async function untilChanged(cells: Int32Array, at: number, seen: number, signal: AbortSignal): Promise<void> {
  const wait = Atomics.waitAsync(cells, at, seen, checkpointMs)
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
