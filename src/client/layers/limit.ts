import type { CallContext, Layer } from '../destination.ts'
import { around } from './around.ts'
import { interruption } from './time.ts'

/** Lanes that wait for each other look this often whether the run was told to stop, and for a slot whose waiter went away. */
const checkpointMs = 200

/** A number of calls that may be under way at once. */
export interface Slots {
  /** Rejects with `interrupted` when the run ends first. */
  acquire(ctx: CallContext): Promise<void>
  release(): void
}

/**
 * Lets only so many calls through at once. Inside `retry`, so that a transfer that waits for its next try holds no slot; between two
 * chunks of a `get`, and two items of a `list`, none is held either, so that their consumer may ask something else.
 */
export function limitLayer(slots: Slots): Layer {
  return (inner) =>
    around(inner, {
      async call(ctx, work) {
        await slots.acquire(ctx)
        try {
          return await work(ctx)
        } finally {
          slots.release()
        }
      },
    })
}

/** Slots of one thread, given in the order asked. */
export function slotsHere(count: number): Slots {
  let free = count
  const waiting = new Set<() => void>()
  return {
    acquire(ctx) {
      if (ctx.signal.aborted) return Promise.reject(interruption(ctx.signal))
      if (free > 0) {
        free--
        return Promise.resolve()
      }
      return new Promise((resolve, reject) => {
        const given = (): void => {
          ctx.signal.removeEventListener('abort', onAbort)
          resolve()
        }
        const onAbort = (): void => {
          waiting.delete(given)
          reject(interruption(ctx.signal))
        }
        waiting.add(given)
        ctx.signal.addEventListener('abort', onAbort, { once: true })
      })
    },
    release() {
      const [next] = waiting
      if (!next) {
        free++
        return
      }
      waiting.delete(next)
      next()
    },
  }
}

/** The one cell of slots that lanes share, to be handed to each as `workerData`. */
export function sharedSlotsCell(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4)).fill(count)
}

/** Slots that all threads with the same cell share. */
export function sharedSlots(cell: Int32Array): Slots {
  return {
    async acquire(ctx) {
      while (!takeOne(cell)) {
        if (ctx.signal.aborted) throw interruption(ctx.signal)
        ctx.checkpoint()
        await untilFree(cell, ctx.signal)
      }
    },
    release() {
      Atomics.add(cell, 0, 1)
      Atomics.notify(cell, 0, 1)
    },
  }
}

function takeOne(cell: Int32Array): boolean {
  for (let free = Atomics.load(cell, 0); free > 0;) {
    const was = Atomics.compareExchange(cell, 0, free, free - 1)
    if (was === free) return true
    free = was
  }
  return false
}

/** Resolves when a slot may be free, the signal is aborted, or it is time to look around. */
async function untilFree(cell: Int32Array, signal: AbortSignal): Promise<void> {
  const wait = Atomics.waitAsync(cell, 0, 0, checkpointMs)
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
