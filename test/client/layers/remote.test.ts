import { describe, expect, it } from 'vitest'

import type { CallContext, Destination, Source } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { bandwidthBucket } from '../../../src/client/layers/bandwidth.ts'
import { createLimit } from '../../../src/client/layers/limit.ts'
import { type RemoteLayers, remoteLayers } from '../../../src/client/layers/remote.ts'
import { retryBudget } from '../../../src/client/layers/retry.ts'
import type { Time } from '../../../src/client/layers/time.ts'
import { endsRun, exitCodeOf, LuminaError } from '../../../src/errors.ts'
import { call, failureOf } from '../../contract/calls.ts'
import { unreachable } from '../../contract/faults.ts'
import { content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

const shared = (options: Partial<RemoteLayers> = {}): RemoteLayers => ({
  retries: 3,
  retryBudget: retryBudget(),
  limit: createLimit({ concurrency: 8, maxConcurrency: 16 }),
  maxConcurrency: 16,
  stallTimeoutMs: 30_000,
  bandwidth: bandwidthBucket(),
  random: () => 0.5,
  ...options,
})

testLayer('all that stands around a service', () =>
  remoteLayers(shared({ bytesPerSecond: 1e9, stallTimeoutMs: 60_000 })),
)

/** Time in which many sleep at once: it passes to the next who wakes, once nobody is awake. */
function sleepers(): Time & { passUntil(ended: Promise<unknown>): Promise<void> } {
  let nowMs = 1_000_000
  const asleep = new Set<{ untilMs: number; wake: () => void }>()
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
  }
  return {
    nowMs: () => nowMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { untilMs: nowMs + delayMs, wake: resolve }
        asleep.add(sleeper)
        const leave = (): void => {
          asleep.delete(sleeper)
          reject(new LuminaError('interrupted', 'Nobody waits for it any more.'))
        }
        signal.addEventListener('abort', leave, { once: true })
      }),
    async passUntil(ended) {
      const until = { over: false }
      void ended.finally(() => (until.over = true)).catch(() => undefined)
      for (await turns(); !until.over; await turns()) {
        const [first] = [...asleep].toSorted((a, b) => a.untilMs - b.untilMs)
        if (!first) continue
        nowMs = first.untilMs
        asleep.delete(first)
        first.wake()
      }
    },
  }
}

const small = sourceOf(content(100))
const busy = (retryAfterMs?: number): LuminaError =>
  new LuminaError('destination-busy', 'Too much to do.', {
    retry: 'transient',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

interface Ended {
  error: LuminaError | undefined
  failed: number
  tried: number
  deadForMs: number
}

/** A run of 100,000 files in 8 lanes, as the pipeline makes it: one asset's failure flows on, what ends the run ends it. */
async function runInto(deadPut: Destination['put'], options: Partial<RemoteLayers> = {}): Promise<Ended> {
  const time = sleepers()
  const all = shared({ ...options, time })
  const ended: Ended = { error: undefined, failed: 0, tried: 0, deadForMs: 0 }
  let next = 0
  let diedAtMs = 0
  const service: Destination = {
    ...memoryDestination(),
    async put(key, source, ctx) {
      if (next <= 50) return { key, bytes: source.bytes }
      diedAtMs ||= time.nowMs()
      ended.tried++
      return deadPut(key, source, ctx)
    },
  }
  const lane = async (): Promise<void> => {
    const destination = remoteLayers(all)(service)
    while (next < 100_000 && !ended.error) {
      try {
        await destination.put(`${next++}`, small, call())
      } catch (error) {
        if (endsRun(error)) ended.error ??= error as LuminaError
        else ended.failed++
      }
    }
  }
  const run = Promise.all(Array.from({ length: 8 }, lane))
  await time.passUntil(run)
  await run
  return { ...ended, deadForMs: time.nowMs() - diedAtMs }
}

const hangs = (_: string, __: Source, { signal }: CallContext): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )

describe('a service that dies in the middle of a run of 100,000 files', () => {
  it.each<[string, Destination['put'], number]>([
    ['refuses connections', () => Promise.reject(unreachable()), 0],
    ['answers that it is too busy', () => Promise.reject(busy()), 200],
    ['asks to wait and is no better then', () => Promise.reject(busy(5000)), 100],
    ['takes bytes and never answers', hangs, 0],
  ])('and %s: the run ends in about a minute, as out of reach', async (_, put, mostFailed) => {
    const { error, failed, tried, deadForMs } = await runInto(put)
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
    expect(exitCodeOf(error)).toBe(5)
    expect(deadForMs).toBeGreaterThanOrEqual(60_000)
    expect(deadForMs).toBeLessThanOrEqual(125_000)
    expect(failed).toBeLessThanOrEqual(mostFailed)
    expect(tried).toBeLessThan(1000)
  })

  it('and refuses the login: the run ends at once', async () => {
    const { error, tried, deadForMs } = await runInto(() =>
      Promise.reject(new LuminaError('destination-refused', 'The login has expired.')),
    )
    expect(exitCodeOf(error)).toBe(4)
    expect(deadForMs).toBe(0)
    expect(tried).toBeLessThanOrEqual(8)
  })

  it('and no retries are wanted: the run ends at once', async () => {
    const { error, deadForMs } = await runInto(() => Promise.reject(unreachable()), { retries: 0 })
    expect(exitCodeOf(error)).toBe(5)
    expect(deadForMs).toBe(0)
  })
})

describe('a service', () => {
  it('that is away for half a minute is waited for, and no file fails', async () => {
    const time = sleepers()
    const backAtMs = time.nowMs() + 30_000
    const layered = remoteLayers(shared({ time, retries: 1 }))({
      ...memoryDestination(),
      async put(key, source) {
        if (time.nowMs() < backAtMs) throw unreachable()
        return { key, bytes: source.bytes }
      },
    })
    await layered.stat('a', call())
    const stored = Promise.all([0, 1, 2].map((at) => layered.put(`${at}`, small, call())))
    await time.passUntil(stored)
    expect(await stored).toHaveLength(3)
  })

  it('that never was reached is given up after its retries: its address may be wrong', async () => {
    const time = sleepers()
    const layered = remoteLayers(shared({ time, retries: 2 }))({
      ...memoryDestination(),
      stat: () => Promise.reject(unreachable()),
    })
    const ctx = call()
    const failure = failureOf(layered.stat('a', ctx))
    await time.passUntil(failure)
    expect(await failure).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
    expect(ctx.retries).toHaveLength(2)
  })

  it('that is busy for one file alone fails that file, and the run goes on', async () => {
    const time = sleepers()
    const layered = remoteLayers(shared({ time }))({ ...memoryDestination(), put: () => Promise.reject(busy()) })
    const failure = failureOf(layered.put('a', small, call()))
    await time.passUntil(failure)
    expect(await failure).toMatchObject({ code: 'destination-busy', retry: 'exhausted' })
    expect(endsRun(await failure)).toBe(false)
  })

  it('is asked no sooner than it said, and the slot is free for others while one waits', async () => {
    const time = sleepers()
    const begunMs = time.nowMs()
    let refused = false
    const layered = remoteLayers(shared({ time, limit: createLimit({ concurrency: 1, maxConcurrency: 1 }) }))({
      ...memoryDestination(),
      async put(key, source) {
        if (!refused) {
          refused = true
          throw busy(12_000)
        }
        return { key, bytes: source.bytes }
      },
    })
    const ctx = call()
    const put = layered.put('a', small, ctx)
    await layered.stat('b', call())
    expect(time.nowMs()).toBe(begunMs)
    await time.passUntil(put)
    expect(ctx.retries[0]?.delayMs).toBeGreaterThanOrEqual(12_000)
    expect(time.nowMs() - begunMs).toBeGreaterThanOrEqual(12_000)
  })
})

/** A service whose connections take `sentBytes` of each append, and which has `keptBytes` of them when they stall. */
const swallowing = (sentBytes: number, keptBytes: number) => {
  let heldBytes = 0
  let appends = 0
  const memory = memoryDestination()
  const destination: Destination = {
    ...memory,
    resumable: {
      ...(memory.resumable as NonNullable<Destination['resumable']>),
      offset: async () => heldBytes,
      append(_, __, from, ctx) {
        appends++
        for (let at = 0; at <= sentBytes; at += 100_000) ctx.progress?.(from + at)
        heldBytes = from + keptBytes
        return hangs('', small, ctx)
      },
    },
  }
  return { destination, appends: () => appends }
}

const large: Source = { bytes: 1e9, kind: 'video/quicktime', read: () => 1 }

it('a service that takes bytes of a transfer in pieces and keeps none of them is given up too', async () => {
  const time = sleepers()
  const begunMs = time.nowMs()
  const { destination } = swallowing(5_000_000, 0)
  const layered = remoteLayers(shared({ time }))(destination)
  await layered.stat('a', call())
  const failure = failureOf(layered.resumable?.append({ id: 'x' }, large, 0, call()))
  await time.passUntil(failure)
  expect(await failure).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
  expect(time.nowMs() - begunMs).toBeLessThanOrEqual(125_000)
})

it.each([
  ['keeps a little of each try', 5_000_000, 50_000],
  ['moves more than a connection holds', 20_000_000, 0],
])('a transfer that %s goes on for as long as it takes', async (_, sentBytes, keptBytes) => {
  const time = sleepers()
  const begunMs = time.nowMs()
  const { destination, appends } = swallowing(sentBytes, keptBytes)
  const ctx = call()
  const layered = remoteLayers(shared({ time }))({
    ...destination,
    resumable: {
      ...(destination.resumable as NonNullable<Destination['resumable']>),
      append(token, source, from, inside) {
        if (appends() === 20) return Promise.resolve(source.bytes)
        return destination.resumable?.append(token, source, from, inside) as Promise<number>
      },
    },
  })
  const appended = layered.resumable?.append({ id: 'x' }, large, 0, ctx) as Promise<number>
  await time.passUntil(appended)
  expect(await appended).toBe(large.bytes)
  expect(time.nowMs() - begunMs).toBeGreaterThanOrEqual(20 * 30_000)
})

it('a transfer on a stalled connection is cut, and goes on where the destination says it stopped', async () => {
  const time = sleepers()
  const begunMs = time.nowMs()
  const bytes = content(1_000_000)
  const memory = memoryDestination()
  const froms: number[] = []
  const cut: unknown[] = []
  const stalling: Destination = {
    ...memory,
    resumable: {
      ...(memory.resumable as NonNullable<Destination['resumable']>),
      async append(token, source, from, ctx) {
        froms.push(from)
        if (froms.length > 1) return memory.resumable?.append(token, source, from, ctx) as Promise<number>
        const arrived = sourceOf(bytes.subarray(0, 300_000))
        await memory.resumable?.append(token, { ...source, bytes: 300_000, read: arrived.read }, 0, ctx)
        return new Promise((_, reject) =>
          ctx.signal.addEventListener('abort', () => {
            cut.push(ctx.signal.reason)
            reject(ctx.signal.reason as Error)
          }),
        )
      },
    },
  }
  const layered = remoteLayers(shared({ time, stallTimeoutMs: 5000 }))(stalling)
  const source = sourceOf(bytes)
  const token = (await layered.resumable?.begin('a', source, call())) ?? {}
  const appended = layered.resumable?.append(token, source, 0, call()) as Promise<number>
  await time.passUntil(appended)
  expect(await appended).toBe(bytes.length)
  expect(cut).toMatchObject([{ code: 'destination-unreachable', retry: 'transient' }])
  expect(froms).toEqual([0, 300_000])
  expect(time.nowMs() - begunMs).toBeGreaterThanOrEqual(5000)
  await layered.resumable?.finish(token, 'a', source, call())
  expect(memory.objects.get('a')).toEqual(Buffer.from(bytes))
})

it('the rate holds for all lanes together, whatever they send and by whatever they read it', async () => {
  const time = sleepers()
  const bytesPerSecond = 10 * 1024 * 1024
  const all = shared({ time, bytesPerSecond })
  const begunMs = time.nowMs()
  let sentBytes = 0
  const lane = async (chunkBytes: number, fileBytes: number): Promise<void> => {
    const buffer = new Uint8Array(chunkBytes)
    const destination = remoteLayers(all)({
      ...memoryDestination(),
      async put(key, source) {
        for (let at = 0; at < source.bytes;) at += await source.read(buffer, at)
        return { key, bytes: source.bytes }
      },
    })
    for (let laneBytes = 0; laneBytes < 12 * 1024 * 1024; laneBytes += fileBytes) {
      const read: Source['read'] = (into, offset) => Math.min(into.length, fileBytes - offset)
      await destination.put('a', { bytes: fileBytes, kind: 'image/jpeg', read }, call())
      sentBytes += fileBytes
    }
  }
  const sent = Promise.all([
    lane(256 * 1024, 3 * 1024 * 1024),
    lane(256 * 1024, 40_000),
    lane(64 * 1024, 700_000),
    lane(16 * 1024, 6 * 1024 * 1024),
    lane(256 * 1024, 12 * 1024 * 1024),
  ])
  await time.passUntil(sent)
  await sent
  const rate = sentBytes / ((time.nowMs() - begunMs) / 1000)
  expect(rate).toBeGreaterThan(bytesPerSecond * 0.95)
  expect(rate).toBeLessThan(bytesPerSecond * 1.05)
})
