import { describe, expect, it } from 'vitest'
import type { Destination, Source } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { bandwidthLayer } from '../../../src/client/layers/bandwidth.ts'
import { createLimit, limitLayer } from '../../../src/client/layers/limit.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import type { Time } from '../../../src/client/layers/time.ts'
import { timeoutLayer } from '../../../src/client/layers/timeout.ts'
import { LuminaError } from '../../../src/errors.ts'
import { call, codeOf, failureOf } from '../../contract/calls.ts'
import { delaying } from '../../contract/faults.ts'
import { fakeTime } from '../../contract/fake-time.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

testLayer('timeout', () => timeoutLayer({ idleMs: 60_000 }))
testLayer('all layers', () => {
  const retry = retryLayer({ retries: 2, time: fakeTime() })
  const limit = limitLayer({ limit: createLimit({ concurrency: 2, maxConcurrency: 2 }), maxConcurrency: 2 })
  const timeout = timeoutLayer({ idleMs: 60_000 })
  const bandwidth = bandwidthLayer({ bytesPerSecond: 1e9 })
  return (inner) => retry(limit(timeout(bandwidth(inner))))
})

/** Time that passes only by `advance`, which wakes whom it passes. */
const steppedTime = (): Time & { advance(ms: number): Promise<void> } => {
  let nowMs = 0
  const sleepers = new Set<{ untilMs: number; wake: () => void }>()
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
  }
  return {
    nowMs: () => nowMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { untilMs: nowMs + delayMs, wake: resolve }
        sleepers.add(sleeper)
        signal.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(new Error('Aborted.'))
        })
      }),
    async advance(ms) {
      await settle()
      nowMs += ms
      for (const sleeper of sleepers) {
        if (sleeper.untilMs > nowMs) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
      await settle()
    },
  }
}

const drain = async (items: AsyncIterable<unknown> | undefined): Promise<void> => {
  for await (const item of items ?? []) expect(item).toBeDefined()
}

const never = new Promise<never>(() => undefined)
const source = sourceOf(content(100))

describe('timeout', () => {
  it.each<[string, (destination: Destination) => Promise<unknown>]>([
    ['stat', (destination) => destination.stat('a', call())],
    ['put', (destination) => destination.put('a', source, call())],
    ['get', (destination) => collect(destination.get?.('a', 0, call()))],
    ['list', (destination) => drain(destination.list?.('', call()))],
    ['remove', async (destination) => destination.remove?.('a', call())],
    ['begin', async (destination) => destination.resumable?.begin('a', source, call())],
    ['append', async (destination) => destination.resumable?.append({ id: 'x' }, source, 0, call())],
    ['finish', async (destination) => destination.resumable?.finish({ id: 'x' }, 'a', source, call())],
  ])('ends a %s that never answers, as something that may pass', async (name, ask) => {
    const time = steppedTime()
    const destination = delaying(memoryDestination(), name as 'stat', never)
    const asking = failureOf(ask(timeoutLayer({ idleMs: 1000, time })(destination)))
    await time.advance(999)
    await time.advance(1)
    expect(await asking).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
  })

  it('lets a call take for ever that goes on', async () => {
    const time = steppedTime()
    const memory = memoryDestination()
    const steps = Array.from({ length: 10 }, () => Promise.withResolvers<void>())
    const destination: Destination = {
      ...memory,
      async put(key, { bytes, read }, ctx) {
        for (const [at, step] of steps.entries()) {
          await step.promise
          if (at % 2 === 0) await read(new Uint8Array(1), at)
          else ctx.progress?.(at)
        }
        return { key, bytes }
      },
    }
    const putting = timeoutLayer({ idleMs: 1000, time })(destination).put('a', source, call())
    for (const step of steps) {
      await time.advance(900)
      step.resolve()
    }
    expect(await putting).toMatchObject({ bytes: 100 })
  })

  it('counts from the last sign of life', async () => {
    const time = steppedTime()
    const destination: Destination = {
      ...memoryDestination(),
      async put(_, { read }) {
        await read(new Uint8Array(1), 0)
        return never
      },
    }
    let ended = false
    const slow: Source = { ...source, read: () => gate.promise }
    const gate = Promise.withResolvers<number>()
    const putting = failureOf(timeoutLayer({ idleMs: 1000, time })(destination).put('a', slow, call()))
    void putting.finally(() => {
      ended = true
    })
    await time.advance(800)
    gate.resolve(1)
    await time.advance(900)
    expect(ended).toBe(false)
    await time.advance(100)
    expect(await putting).toMatchObject({ code: 'destination-unreachable' })
  })

  it('tells a file that gives no bytes from a destination that takes none', async () => {
    const time = steppedTime()
    const stuck: Source = { ...source, read: () => never }
    const putting = failureOf(timeoutLayer({ idleMs: 1000, time })(memoryDestination()).put('a', stuck, call()))
    await time.advance(1000)
    expect(await putting).toMatchObject({ code: 'io', retry: 'transient' })
  })

  it('aborts the call that it gave up, and that call alone', async () => {
    const time = steppedTime()
    const ctx = call()
    let inside: AbortSignal | undefined
    const destination: Destination = {
      ...memoryDestination(),
      put(_, __, inner) {
        inside = inner.signal
        return never
      },
    }
    const putting = failureOf(timeoutLayer({ idleMs: 1000, time })(destination).put('a', source, ctx))
    await time.advance(1000)
    await putting
    expect(inside?.aborted).toBe(true)
    expect(inside?.reason).toMatchObject({ code: 'destination-unreachable' })
    expect(ctx.signal.aborted).toBe(false)
  })

  it('gives a call that it gave up no more bytes: its file may be closed by then', async () => {
    const time = steppedTime()
    const late = Promise.withResolvers<void>()
    const reads: unknown[] = []
    const destination: Destination = {
      ...memoryDestination(),
      async put(key, { bytes, read }) {
        await late.promise
        try {
          reads.push(await read(new Uint8Array(10), 0))
        } catch (error) {
          reads.push(error)
        }
        return { key, bytes }
      },
    }
    const untouchable: Source = { ...source, read: () => expect.unreachable() }
    const putting = failureOf(timeoutLayer({ idleMs: 1000, time })(destination).put('a', untouchable, call()))
    await time.advance(1000)
    await putting
    late.resolve()
    await time.advance(0)
    expect(reads).toEqual([expect.any(LuminaError)])
  })

  it('passes an abort of the run on, with its reason', async () => {
    const ctx = call()
    const destination: Destination = {
      ...memoryDestination(),
      stat: (_, { signal }) =>
        new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    }
    const asking = codeOf(timeoutLayer({ idleMs: 1000, time: steppedTime() })(destination).stat('a', ctx))
    ctx.abort()
    expect(await asking).toBe('interrupted')
    expect(await codeOf(timeoutLayer({ idleMs: 1000 })(memoryDestination()).put('a', source, ctx))).toBe('interrupted')
  })

  it('begins no call in a run that is over, but with a signal that says so', async () => {
    const ctx = call()
    ctx.abort()
    const aborted: boolean[] = []
    const destination: Destination = {
      ...memoryDestination(),
      async stat(_, { signal }) {
        aborted.push(signal.aborted)
        return undefined
      },
    }
    await timeoutLayer({ idleMs: 1000, time: steppedTime() })(destination).stat('a', ctx)
    expect(aborted).toEqual([true])
  })

  it('does not wait for ever for a call that ignores an abort', async () => {
    const time = steppedTime()
    const ctx = call()
    const asking = codeOf(
      timeoutLayer({ idleMs: 1000, time })(delaying(memoryDestination(), 'stat', never)).stat('a', ctx),
    )
    ctx.abort()
    await time.advance(1000)
    expect(await asking).toBe('interrupted')
  })

  it('is asked again by retry, inside which it stands', async () => {
    const time = steppedTime()
    let asked = 0
    const destination: Destination = {
      ...memoryDestination(),
      stat: () => (asked++ === 0 ? never : Promise.resolve({ key: 'a', bytes: 7 })),
    }
    const retry = retryLayer({ retries: 1, time: fakeTime() })
    const asking = retry(timeoutLayer({ idleMs: 1000, time })(destination)).stat('a', call())
    await time.advance(1000)
    expect(await asking).toEqual({ key: 'a', bytes: 7 })
  })
})
