import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { describe, expect, it } from 'vitest'

import type { CallContext, Destination, Layer, Source } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { createLimit, limitLayer, limitNow } from '../../../src/client/layers/limit.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { LuminaError } from '../../../src/errors.ts'
import { call, codeOf } from '../../contract/calls.ts'
import { hooked, unreachable } from '../../contract/faults.ts'
import { content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

const fixed = (count: number): Layer =>
  limitLayer({ limit: createLimit({ concurrency: count, maxConcurrency: count }), maxConcurrency: count })

testLayer('limit', () => fixed(2))

const source = sourceOf(content(100))
const turns = async (count = 1): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

/** A destination that says how many of its calls are under way, and the most there ever were. */
const watched = (): { destination: Destination; most: () => number } => {
  let now = 0
  let most = 0
  const destination = hooked(memoryDestination(), {
    async before() {
      most = Math.max(most, ++now)
      await turns()
    },
    after() {
      now--
    },
  })
  return { destination, most: () => most }
}

describe('slots', () => {
  it.each([1, 3])('let %i through at once, and in the end all', async (count) => {
    const { destination, most } = watched()
    const limited = fixed(count)(destination)
    await Promise.all(Array.from({ length: 20 }, (_, at) => limited.put(`${at}`, source, call())))
    expect(most()).toBe(count)
  })

  it('are given back by calls that fail', async () => {
    const limited = fixed(1)({
      ...memoryDestination(),
      put: () => Promise.reject(new LuminaError('io', 'No.')),
      stat: () => {
        throw new TypeError('A bug.')
      },
    })
    for (let times = 0; times < 3; times++) {
      expect(await codeOf(limited.put('a', source, call()))).toBe('io')
      await expect(limited.stat('a', call())).rejects.toThrow(TypeError)
    }
  })

  it('are not waited for in a run that is aborted, nor lost with a waiter that was', async () => {
    const blocked = Promise.withResolvers<undefined>()
    const limited = fixed(1)({ ...memoryDestination(), stat: () => blocked.promise })
    const holding = limited.stat('a', call())
    const gone = call()
    const waiting = codeOf(limited.stat('b', gone))
    const next = limited.stat('c', call())
    gone.abort()
    expect(await waiting).toBe('interrupted')
    expect(await codeOf(limited.stat('d', gone))).toBe('interrupted')
    blocked.resolve(undefined)
    await holding
    await next
  })

  it('notice that a run was told to stop', async () => {
    const limited = fixed(1)({ ...memoryDestination(), stat: () => new Promise(() => undefined) })
    void limited.stat('a', call())
    let looks = 0
    const ctx: CallContext = {
      signal: new AbortController().signal,
      checkpoint() {
        if (++looks > 2) throw new LuminaError('interrupted', 'Ctrl-C.')
      },
    }
    expect(await codeOf(limited.stat('b', ctx))).toBe('interrupted')
  })

  it('are not held between two items, nor by a transfer that waits for its next try', async () => {
    const memory = memoryDestination()
    for (const key of ['a', 'b']) await memory.put(key, source, call())
    const layer = fixed(1)
    const limited = layer(memory)
    for await (const { key } of limited.list?.('', call()) ?? []) await limited.stat(key, call())
    for await (const chunk of limited.get?.('a', 0, call()) ?? []) {
      expect(chunk.length).toBe(100)
      await limited.stat('a', call())
    }
    let failures = 1
    const failsOnce = hooked(memory, {
      before(name) {
        if (name === 'put' && failures-- > 0) throw unreachable()
      },
    })
    const inside = layer(failsOnce)
    const sleep = async (): Promise<void> => void (await inside.stat('a', call()))
    await retryLayer({ retries: 1, random: () => 1, time: { nowMs: () => 0, sleep } })(inside).put('c', source, call())
  })

  it('hold for threads together', async () => {
    const limit = createLimit({ concurrency: 2, maxConcurrency: 2 })
    const gauge = new Int32Array(new SharedArrayBuffer(8))
    const entry = fileURLToPath(new URL('limit-worker.ts', import.meta.url))
    const workers = Array.from({ length: 3 }, () => new Worker(entry, { workerData: { limit, gauge, calls: 50 } }))
    const codes = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
    expect(codes).toEqual([0, 0, 0])
    expect([...gauge]).toEqual([0, 2])
  })

  it('leave one of four to small files, however many large ones wait', async () => {
    const large = sourceOf(content(2 * 1024 * 1024))
    const begun: string[] = []
    const limited = fixed(4)({
      ...memoryDestination(),
      put(key) {
        begun.push(key)
        return new Promise(() => undefined)
      },
    })
    for (let at = 0; at < 6; at++) void limited.put(`large ${at}`, large, call())
    await turns(3)
    void limited.put('small', source, call())
    await turns(3)
    expect(begun).toEqual(['large 0', 'large 1', 'large 2', 'small'])
  })
})

describe('who waits', () => {
  const large = sourceOf(content(2 * 1024 * 1024))
  const brief: Destination = {
    ...memoryDestination(),
    async stat() {
      await turns()
      return undefined
    },
    async put(key, { bytes }) {
      await turns()
      return { key, bytes }
    },
  }
  const order: [
    string,
    (destination: Destination) => Promise<unknown>,
    (destination: Destination) => Promise<unknown>,
  ][] = [
    ['a large file', (one) => one.put('large', large, call()), (one) => one.stat('a', call())],
    ['a small file', (one) => one.put('small', source, call()), (one) => one.put('large', large, call())],
  ]
  it.each(order)('is next, before those who ask again and again: %s', async (_, wait, ask) => {
    const layer = fixed(1)
    const limited = layer(brief)
    const until = { served: false }
    let asked = 0
    const first = ask(limited)
    const waiting = wait(limited).then(() => (until.served = true))
    await first
    // as a lane does, without a pause between two calls
    for (; !until.served && asked < 200; asked++) await ask(limited)
    await waiting
    expect(asked).toBeLessThanOrEqual(2)
  })

  it('is served by turns, small and large', async () => {
    const limited = fixed(1)(brief)
    const served: string[] = []
    const all = [limited.stat('first', call())]
    for (let at = 0; at < 5; at++) all.push(limited.stat('a', call()).finally(() => served.push('small')))
    const puts = Array.from({ length: 5 }, () => limited.put('a', large, call()).finally(() => served.push('large')))
    await Promise.all([...all, ...puts])
    expect(served).toHaveLength(10)
    expect(new Set(served.slice(0, 4)).size).toBe(2)
  })

  it('does not keep small ones from the slot that is theirs', async () => {
    const begun: string[] = []
    const limited = fixed(4)({
      ...brief,
      put(key) {
        begun.push(key)
        return new Promise(() => undefined)
      },
    })
    for (let at = 0; at < 6; at++) void limited.put(`large ${at}`, large, call())
    await turns(3)
    await limited.stat('a', call())
    await limited.stat('b', call())
    expect(begun).toHaveLength(3)
  })

  it('is no transfer that has all its bytes there: its end needs a small slot', async () => {
    const memory = memoryDestination()
    const limited = fixed(4)({ ...memory, put: () => new Promise(() => undefined) })
    const token = (await limited.resumable?.begin('a', large, call())) ?? {}
    await limited.resumable?.append(token, large, 0, call())
    for (let at = 0; at < 6; at++) void limited.put(`large ${at}`, large, call())
    await turns(3)
    expect(await limited.resumable?.offset(token, large, call())).toBe(large.bytes)
    expect(await limited.resumable?.finish(token, 'a', large, call())).toMatchObject({ bytes: large.bytes })
  })
})

/** A service in simulated time: so many calls are served at once, each in its time; who comes beyond a bound is refused. */
class Simulated {
  nowMs = 1000
  inService = 0
  most = 0
  refused = 0
  readonly #events: { atMs: number; run: () => void }[] = []
  readonly #capacity: number
  readonly #callMs: number
  readonly #bound: number
  #freeAtMs: number[]

  constructor({
    capacity,
    callMs,
    bound = Number.POSITIVE_INFINITY,
  }: {
    capacity: number
    callMs: number
    bound?: number
  }) {
    this.#capacity = capacity
    this.#callMs = callMs
    this.#bound = bound
    this.#freeAtMs = Array.from({ length: this.#capacity }, () => 0)
  }

  readonly stat = async (): Promise<undefined> => {
    this.most = Math.max(this.most, ++this.inService)
    try {
      if (this.inService > this.#bound) {
        this.refused++
        await this.#until(this.nowMs + this.#callMs)
        throw new LuminaError('destination-busy', 'Slow down.', { retry: 'transient' })
      }
      const server = this.#freeAtMs.indexOf(Math.min(...this.#freeAtMs))
      const endMs = Math.max(this.nowMs, this.#freeAtMs[server] as number) + this.#callMs
      this.#freeAtMs[server] = endMs
      await this.#until(endMs)
      return undefined
    } finally {
      this.inService--
    }
  }

  #until(atMs: number): Promise<void> {
    return new Promise((resolve) => void this.#events.push({ atMs, run: resolve }))
  }

  /** Serves until nothing is under way any more. */
  async serve(): Promise<void> {
    for (;;) {
      await turns(3)
      this.#events.sort((a, b) => b.atMs - a.atMs)
      const next = this.#events.pop()
      if (!next) return
      this.nowMs = next.atMs
      next.run()
    }
  }
}

/** The limit at the end of many calls by `clients` that ask one after the other. */
async function limitAfter(
  service: Simulated,
  { concurrency = 4, maxConcurrency = 64, calls = 6000, clients = 64 },
): Promise<number> {
  const limit = createLimit({ concurrency, maxConcurrency })
  const time = { nowMs: () => service.nowMs, sleep: async () => undefined }
  const limited = limitLayer({ limit, maxConcurrency, time })({ ...memoryDestination(), stat: service.stat })
  let left = calls
  const client = async (): Promise<void> => {
    while (left-- > 0) await limited.stat('a', call()).catch(() => undefined)
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  const served = { all: false }
  void all.then(() => (served.all = true))
  while (!served.all) await service.serve()
  return limitNow(limit)
}

describe('how many at once', () => {
  it('grows while that brings more through, and not much beyond', async () => {
    const limit = await limitAfter(new Simulated({ capacity: 24, callMs: 50 }), {})
    expect(limit).toBeGreaterThanOrEqual(20)
    expect(limit).toBeLessThanOrEqual(48)
  })

  it('stays where more brings nothing', async () => {
    expect(await limitAfter(new Simulated({ capacity: 4, callMs: 50 }), { calls: 3000 })).toBeLessThanOrEqual(9)
  })

  it('never exceeds what was allowed', async () => {
    const service = new Simulated({ capacity: 1000, callMs: 50 })
    expect(await limitAfter(service, { maxConcurrency: 10, calls: 3000 })).toBe(10)
    expect(service.most).toBe(10)
  })

  it('halves when the service complains, once for all that was under way, and never below one', async () => {
    const limit = createLimit({ concurrency: 8, maxConcurrency: 16 })
    let nowMs = 1000
    const time = { nowMs: () => nowMs, sleep: async () => undefined }
    const busy = new LuminaError('destination-busy', 'Slow down.', { retry: 'transient' })
    const gates: (() => void)[] = []
    const limited = limitLayer({ limit, maxConcurrency: 16, time })({
      ...memoryDestination(),
      stat: () => new Promise((_, reject) => void gates.push(() => reject(busy))),
    })
    const complain = async (count: number): Promise<void> => {
      const asked = Array.from({ length: count }, () => codeOf(limited.stat('a', call())))
      await turns(2)
      nowMs += 100
      for (const gate of gates.splice(0)) gate()
      expect(await Promise.all(asked)).toEqual(asked.map(() => 'destination-busy'))
      nowMs += 1
    }
    await complain(8)
    expect(limitNow(limit)).toBe(4)
    for (const expected of [2, 1, 1]) {
      await complain(1)
      expect(limitNow(limit)).toBe(expected)
    }
  })

  it('finds a rate at which a service with a bound is used and seldom refuses', async () => {
    const service = new Simulated({ capacity: 16, callMs: 50, bound: 20 })
    const limit = await limitAfter(service, { calls: 8000 })
    expect(limit).toBeGreaterThanOrEqual(5)
    expect(limit).toBeLessThanOrEqual(30)
    expect(service.refused / 8000).toBeLessThan(0.05)
  })

  it('grows during transfers that are far from their end', async () => {
    const limit = createLimit({ concurrency: 4, maxConcurrency: 16 })
    const time = { nowMs: () => nowMs, sleep: async () => undefined }
    let nowMs = 1000
    const run = { ended: false }
    const buffer = new Uint8Array(256 * 1024)
    const limited = limitLayer({ limit, maxConcurrency: 16, time })({
      ...memoryDestination(),
      async put(key, { bytes, read }) {
        for (let at = 0; !run.ended && at < bytes; at += await read(buffer, at)) await turns()
        return { key, bytes }
      },
    })
    const endless: Source = { bytes: 1e12, kind: 'video/quicktime', read: (into) => into.length }
    const puts = Array.from({ length: 20 }, (_, at) => limited.put(`${at}`, endless, call()))
    for (; nowMs < 100_000 && limitNow(limit) < 16; nowMs += 50) await turns()
    run.ended = true
    expect(limitNow(limit)).toBe(16)
    await Promise.all(puts)
  })

  it('is not raised by a run that never had to wait', async () => {
    expect(await limitAfter(new Simulated({ capacity: 64, callMs: 50 }), { clients: 2, calls: 1000 })).toBe(4)
  })
})
