import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import type { CallContext, Destination } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { limitLayer, sharedSlots, sharedSlotsCell, slotsHere, type Slots } from '../../../src/client/layers/limit.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { LuminaError } from '../../../src/errors.ts'
import { call, codeOf } from '../../contract/calls.ts'
import { hooked, unreachable } from '../../contract/faults.ts'
import { content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

testLayer('limit', () => limitLayer(slotsHere(2)))
testLayer('limit, shared', () => limitLayer(sharedSlots(sharedSlotsCell(1))))

const source = sourceOf(content(100))

/** A destination that says how many of its calls are under way, and the most there ever were. */
const watched = (): { destination: Destination; now: () => number; most: () => number } => {
  let now = 0
  let most = 0
  const destination = hooked(memoryDestination(), {
    async before() {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
    },
    after() {
      now--
    },
  })
  return { destination, now: () => now, most: () => most }
}

describe.each<[string, (count: number) => Slots]>([
  ['slots of one thread', slotsHere],
  ['slots of all threads', (count) => sharedSlots(sharedSlotsCell(count))],
])('%s', (_, make) => {
  it.each([1, 3])('let %i through at once, and in the end all', async (count) => {
    const { destination, most } = watched()
    const limited = limitLayer(make(count))(destination)
    await Promise.all(Array.from({ length: 20 }, (__, at) => limited.put(`${at}`, source, call())))
    expect(most()).toBe(count)
  })

  it('are given back by calls that fail', async () => {
    const limited = limitLayer(make(1))({
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

  it('are not waited for in a run that is aborted', async () => {
    const slots = make(1)
    await slots.acquire(call())
    const ctx = call()
    const waiting = codeOf(slots.acquire(ctx))
    ctx.abort()
    expect(await waiting).toBe('interrupted')
    expect(await codeOf(slots.acquire(ctx))).toBe('interrupted')
    slots.release()
    await slots.acquire(call())
  })

  it('are not lost with a waiter that was aborted', async () => {
    const slots = make(1)
    await slots.acquire(call())
    const gone = call()
    const first = codeOf(slots.acquire(gone))
    const second = slots.acquire(call())
    gone.abort()
    await first
    slots.release()
    await second
  })

  it('are not held between two items, nor by a transfer that waits for its next try', async () => {
    const memory = memoryDestination()
    for (const key of ['a', 'b']) await memory.put(key, source, call())
    const slots = make(1)
    const limited = limitLayer(slots)(memory)
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
    const sleep = async (): Promise<void> => {
      await limited.stat('a', call())
    }
    const retried = retryLayer({ retries: 1, random: () => 1, time: { nowMs: () => 0, sleep } })(
      limitLayer(slots)(failsOnce),
    )
    await retried.put('c', source, call())
  })
})

describe('slots of all threads', () => {
  it('notice that a run was told to stop', async () => {
    const slots = sharedSlots(sharedSlotsCell(0))
    let looks = 0
    const ctx: CallContext = {
      signal: new AbortController().signal,
      checkpoint() {
        if (++looks > 2) throw new LuminaError('interrupted', 'Ctrl-C.')
      },
    }
    expect(await codeOf(slots.acquire(ctx))).toBe('interrupted')
  })

  it('are not given twice when another thread is faster', async () => {
    const cell = sharedSlotsCell(1)
    const slots = sharedSlots(cell)
    const taken = (): number => Atomics.exchange(cell, 0, 0) - 1
    const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(taken as () => never)
    let given = false
    const waiting = slots.acquire(call()).then(() => (given = true))
    await new Promise(setImmediate)
    expect(given).toBe(false)
    spy.mockRestore()
    slots.release()
    await waiting
    expect(Atomics.load(cell, 0)).toBe(0)
  })

  it('hold for threads together', async () => {
    const cell = sharedSlotsCell(2)
    const gauge = new Int32Array(new SharedArrayBuffer(8))
    const entry = fileURLToPath(new URL('limit-worker.ts', import.meta.url))
    const workers = Array.from({ length: 3 }, () => new Worker(entry, { workerData: { cell, gauge, calls: 50 } }))
    const codes = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
    expect(codes).toEqual([0, 0, 0])
    expect(Atomics.load(gauge, 0)).toBe(0)
    expect(Atomics.load(gauge, 1)).toBe(2)
    expect(Atomics.load(cell, 0)).toBe(2)
  })
})
