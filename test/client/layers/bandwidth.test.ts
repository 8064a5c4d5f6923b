import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { describe, expect, it, vi } from 'vitest'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { bandwidthBucket, bandwidthLayer } from '../../../src/client/layers/bandwidth.ts'
import { systemTime, type Time } from '../../../src/client/layers/time.ts'
import { call, codeOf } from '../../contract/calls.ts'
import { fakeTime } from '../../contract/fake-time.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { testLayer } from './layered.ts'

testLayer('bandwidth', () => bandwidthLayer({ bytesPerSecond: 1_000_000, time: fakeTime() }))

const KiB = 1024
const MiB = 1024 * KiB

/** A destination that reads in chunks, as drivers do, and keeps nothing. */
const sink = (chunkBytes = 256 * KiB) => {
  const reads: number[] = []
  const destination = memoryDestination()
  const buffer = new Uint8Array(chunkBytes)
  destination.put = async (key, source) => {
    for (let at = 0; at < source.bytes;) {
      const got = await source.read(buffer, at)
      reads.push(got)
      at += got
    }
    return { key, bytes: source.bytes }
  }
  return { destination, reads }
}

/** `bytes` bytes of nothing. */
const zeros = (bytes: number) => ({
  bytes,
  kind: 'image/jpeg',
  read: (into: Uint8Array, offset: number) => Math.min(into.length, bytes - offset),
})

const within5Percent = (actual: number, expected: number): void => {
  expect(actual).toBeGreaterThan(expected * 0.95)
  expect(actual).toBeLessThan(expected * 1.05)
}

describe('bandwidth', () => {
  it.each([
    [64 * KiB, 640 * KiB],
    [1 * MiB, 10 * MiB],
    [10 * MiB, 100 * MiB],
    [400 * MiB, 4000 * MiB],
  ])('holds %i bytes a second', async (bytesPerSecond, bytes) => {
    const time = fakeTime()
    const begunMs = time.nowMs()
    await bandwidthLayer({ bytesPerSecond, time })(sink().destination).put('a', zeros(bytes), call())
    within5Percent(bytes / ((time.nowMs() - begunMs) / 1000), bytesPerSecond)
  })

  it.each([64 * KiB, 100 * MiB])('makes up for timers that come late, at %i bytes a second', async (bytesPerSecond) => {
    const time = fakeTime()
    const late: Time = {
      nowMs: time.nowMs,
      async sleep(delayMs, signal) {
        await time.sleep(delayMs, signal)
        time.advance(7)
      },
    }
    const begunMs = time.nowMs()
    await bandwidthLayer({ bytesPerSecond, time: late })(sink().destination).put(
      'a',
      zeros(10 * bytesPerSecond),
      call(),
    )
    within5Percent(time.nowMs() - begunMs, 10_000)
  })

  it('saves up no more than a moment while nothing is sent', async () => {
    const time = fakeTime()
    const limited = bandwidthLayer({ bytesPerSecond: MiB, time })(sink().destination)
    await limited.put('a', zeros(MiB), call())
    time.advance(3_600_000)
    const begunMs = time.nowMs()
    await limited.put('b', zeros(2 * MiB), call())
    within5Percent(time.nowMs() - begunMs, 2000)
  })

  it('is one rate for all lanes, sent and received', async () => {
    const time = fakeTime()
    const bucket = bandwidthBucket()
    const lane = () => bandwidthLayer({ bytesPerSecond: MiB, time, bucket })
    const memory = memoryDestination()
    await memory.put('there', sourceOf(content(2 * MiB)), call())
    const begunMs = time.nowMs()
    await lane()(sink().destination).put('a', zeros(4 * MiB), call())
    await lane()(sink().destination).put('b', zeros(4 * MiB), call())
    await collect(lane()(memory).get?.('there', 0, call()))
    within5Percent(time.nowMs() - begunMs, 10_000)
  })

  it('loses and invents nothing when lanes pay at the same moment', async () => {
    // a clock that stands still: every payer has to wait until all before it have paid
    const waits: number[] = []
    const time: Time = {
      nowMs: () => 1000,
      sleep: async (delayMs) => {
        waits.push(delayMs)
      },
    }
    const bucket = bandwidthBucket()
    const lanes = Array.from({ length: 8 }, () =>
      bandwidthLayer({ bytesPerSecond: MiB, time, bucket })(sink().destination),
    )
    await Promise.all(lanes.map((lane, at) => lane.put(`${at}`, zeros(MiB), call())))
    expect(Math.max(...waits)).toBeCloseTo(8000 - 50, -1)
  })

  it.each([16 * MiB, 200 * MiB])('charges small reads what they are, at %i bytes a second', async (bytesPerSecond) => {
    const time = fakeTime()
    const begunMs = time.nowMs()
    const limited = bandwidthLayer({ bytesPerSecond, time })(sink(512).destination)
    for (let file = 0; file < 40; file++) await limited.put(`${file}`, zeros(bytesPerSecond / 20), call())
    within5Percent(time.nowMs() - begunMs, 2000)
  })

  it('loses and invents nothing between threads, whatever they read by', async () => {
    const bucket = bandwidthBucket()
    const entry = fileURLToPath(new URL('bandwidth-worker.ts', import.meta.url))
    const threads = [4 * KiB, 64 * KiB, 256 * KiB, 700].map(
      (chunkBytes) => new Worker(entry, { workerData: { bucket, chunkBytes, bytesPerSecond: MiB, bytes: 3 * MiB } }),
    )
    const codes = await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once('exit', resolve))))
    expect(codes).toEqual([0, 0, 0, 0])
    // the clock of the threads stands still, so that the bucket says what all of them together have to wait for
    expect(Number(bucket[0]) / 1e6 - 1000).toBeCloseTo(12_000 - 50, -1)
  })

  it('pays after another lane that was faster', async () => {
    const time = fakeTime()
    const bucket = bandwidthBucket()
    const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(() => {
      const paidNs = BigInt(time.nowMs() * 1e6) + 5_000_000_000n
      Atomics.store(bucket, 0, paidNs)
      return paidNs
    })
    const begunMs = time.nowMs()
    await bandwidthLayer({ bytesPerSecond: MiB, time, bucket })(sink().destination).put('a', zeros(1000), call())
    spy.mockRestore()
    within5Percent(time.nowMs() - begunMs, 5000)
  })

  it('cuts reads into pieces of a moment, and no smaller than is worth it', async () => {
    for (const [bytesPerSecond, most] of [
      [1000, 512],
      [64 * KiB, 3276],
      [MiB, 52_428],
      [100 * MiB, 256 * KiB],
    ] as const) {
      const { destination, reads } = sink()
      await bandwidthLayer({ bytesPerSecond, time: fakeTime() })(destination).put('a', zeros(MiB), call())
      expect(Math.max(...reads)).toBe(most)
    }
  })

  it('charges what was read, not what was asked for', async () => {
    const time = fakeTime()
    const begunMs = time.nowMs()
    const slow = sourceOf(content(10 * KiB), { pieceBytes: 100, slow: true })
    await bandwidthLayer({ bytesPerSecond: 2 * KiB, time })(sink().destination).put('a', slow, call())
    within5Percent(time.nowMs() - begunMs, 5000)
  })

  it('charges nothing for comparing what the destination holds', async () => {
    const time = fakeTime()
    const limited = bandwidthLayer({ bytesPerSecond: KiB, time })(memoryDestination())
    const source = sourceOf(content(4 * KiB))
    const token = (await limited.resumable?.begin('a', source, call())) ?? {}
    await limited.resumable?.append(token, source, 0, call())
    const sentMs = time.nowMs()
    await limited.resumable?.offset(token, source, call())
    await limited.resumable?.finish(token, 'a', source, call())
    expect(time.nowMs()).toBe(sentMs)
  })

  it('reads at once what may go at once', () => {
    const { destination } = sink()
    let read: unknown
    destination.put = async (key, source) => {
      read = source.read(new Uint8Array(10), 0)
      return { key, bytes: source.bytes }
    }
    void bandwidthLayer({ bytesPerSecond: MiB, time: fakeTime() })(destination).put('a', zeros(10), call())
    expect(read).toBe(10)
  })

  it('ends its wait when the run is aborted', async () => {
    const ctx = call()
    const putting = codeOf(bandwidthLayer({ bytesPerSecond: 1 })(sink().destination).put('a', zeros(MiB), ctx))
    ctx.abort()
    expect(await putting).toBe('interrupted')
  })
})

describe('the time of the system', () => {
  it('is one for all threads, and has parts of a millisecond', () => {
    const nowMs = systemTime.nowMs()
    expect(Math.abs(nowMs - Number(process.hrtime.bigint() / 1_000_000n))).toBeLessThan(1000)
    expect(systemTime.nowMs()).toBeGreaterThanOrEqual(nowMs)
  })

  it('leaves no listener and no timer behind', async () => {
    const ctx = call()
    for (let times = 0; times < 100; times++) await systemTime.sleep(0, ctx.signal)
    const waiting = codeOf(systemTime.sleep(1_000_000, ctx.signal))
    ctx.abort()
    expect(await waiting).toBe('interrupted')
    expect(await codeOf(systemTime.sleep(1_000_000, ctx.signal))).toBe('interrupted')
  })
})
