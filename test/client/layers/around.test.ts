import { describe, expect, it } from 'vitest'
import type { CallContext, Destination, Source } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { around, withContext, withRead } from '../../../src/client/layers/around.ts'
import { bandwidthLayer } from '../../../src/client/layers/bandwidth.ts'
import { createLimit, limitLayer } from '../../../src/client/layers/limit.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { timeoutLayer } from '../../../src/client/layers/timeout.ts'
import { call } from '../../contract/calls.ts'
import { content, sourceOf } from '../../contract/sources.ts'

const layers = {
  bandwidth: bandwidthLayer({ bytesPerSecond: 1e9 }),
  limit: limitLayer({ limit: createLimit({ concurrency: 1, maxConcurrency: 1 }), maxConcurrency: 1 }),
  retry: retryLayer({ retries: 1 }),
  timeout: timeoutLayer({ idleMs: 1000 }),
}

describe.each(Object.entries(layers))('%s', (_, layer) => {
  it('supports what the driver supports, and no more', () => {
    const { name, traits, stat, put, resumable } = memoryDestination()
    const bare: Destination = { name, traits, stat, put }
    expect(Object.keys(layer(bare)).toSorted()).toEqual(Object.keys(bare).toSorted())

    const full: Destination = { ...memoryDestination(), freeBytes: async () => 7, close: async () => undefined }
    const layered = layer(full)
    expect(Object.keys(layered).toSorted()).toEqual(Object.keys(full).toSorted())
    expect(Object.keys(layered.resumable ?? {}).toSorted()).toEqual(Object.keys(resumable ?? {}).toSorted())
    expect(layered.resumable?.minBytes).toBe(resumable?.minBytes)
    expect(layered).toMatchObject({ name, traits })
  })

  it('hands on all that a source tells of its bytes', async () => {
    const told = { digest: 'd', modifiedMs: 5, name: 'IMG_1.jpg', takenAt: '2024-05-06T07:08:09' }
    let heard: Source | undefined
    const destination = layer({
      ...memoryDestination(),
      async put(key, source) {
        heard = source
        return { key, bytes: source.bytes }
      },
    })
    await destination.put('a', { ...sourceOf(content(10)), ...told }, call())
    expect(heard).toMatchObject(told)
  })

  it('calls methods of the driver as methods', async () => {
    class Driver {
      readonly #free = 7
      readonly name = 'class'
      readonly traits = memoryDestination().traits
      async stat(): Promise<undefined> {
        return undefined
      }
      async put(key: string): Promise<{ key: string; bytes: number }> {
        return { key, bytes: this.#free }
      }
      async freeBytes(): Promise<number> {
        return this.#free
      }
      async *list(): AsyncGenerator<{ key: string; bytes: number }> {
        yield { key: 'a', bytes: this.#free }
      }
    }
    const driver = new Driver()
    const destination = layer({
      name: driver.name,
      traits: driver.traits,
      stat: () => driver.stat(),
      put: (key) => driver.put(key),
      freeBytes: () => driver.freeBytes(),
      list: () => driver.list(),
    })
    expect(await destination.freeBytes?.(call())).toBe(7)
    for await (const { bytes } of destination.list?.('', call()) ?? []) expect(bytes).toBe(7)
  })

  it('lets the driver end a listing and a download that nobody reads to the end', async () => {
    const ended: string[] = []
    const endless = async function* <T>(what: string, item: T): AsyncGenerator<T> {
      try {
        for (;;) yield item
      } finally {
        ended.push(what)
      }
    }
    const destination = layer({
      ...memoryDestination(),
      get: () => endless('get', new Uint8Array(1)),
      list: () => endless('list', { key: 'a', bytes: 1 }),
    })
    for await (const chunk of destination.get?.('a', 0, call()) ?? []) if (chunk.length === 1) break
    for await (const { key } of destination.list?.('', call()) ?? []) if (key === 'a') break
    expect(ended).toEqual(['get', 'list'])
  })

  it('gives each call its answer, and its failure', async () => {
    const destination = layer({
      ...memoryDestination(),
      stat: () => Promise.reject(new TypeError('A bug.')),
      freeBytes: async () => 7,
    })
    await expect(destination.stat('a', call())).rejects.toThrow(TypeError)
    expect(await destination.freeBytes?.(call())).toBe(7)
  })
})

describe('around', () => {
  it('tells calls that ask from calls that change something', async () => {
    const told: string[] = []
    const destination = around(
      { ...memoryDestination(), freeBytes: async () => 7 },
      {
        call: (ctx, work, what) => {
          told.push(what)
          return work(ctx)
        },
      },
    )
    const source = sourceOf(content(3))
    await destination.stat('a', call())
    await destination.freeBytes?.(call())
    await destination.put('a', source, call())
    const token = (await destination.resumable?.begin('b', source, call())) ?? {}
    await destination.resumable?.offset(token, source, call())
    await destination.resumable?.append(token, source, 0, call())
    await destination.resumable?.finish(token, 'b', source, call())
    await destination.resumable?.abort(token, call())
    await destination.move?.('a', 'c', call())
    await destination.remove?.('c', call())
    expect(told).toEqual(['ask', 'ask', 'change', 'change', 'ask', 'change', 'change', 'change', 'change', 'change'])
  })
})

describe('withRead', () => {
  it('keeps what the source knows, and what it comes to know', () => {
    const source = { bytes: 3, kind: 'image/png', modifiedMs: 5, digest: 'a', read: () => 0 }
    const wrapped = withRead(source, () => 7)
    source.digest = 'b'
    expect(wrapped).toMatchObject({ bytes: 3, kind: 'image/png', modifiedMs: 5, digest: 'b' })
    expect(wrapped.read(new Uint8Array(1), 0)).toBe(7)
  })
})

describe('withContext', () => {
  it('keeps what a context inherits', () => {
    class Context implements CallContext {
      readonly signal = new AbortController().signal
      readonly told: unknown[] = []
      checkpoint(): void {
        this.told.push('checkpoint')
      }
      progress(sentBytes: number): void {
        this.told.push(sentBytes)
      }
      retrying(attempt: number, delayMs: number): void {
        this.told.push(attempt, delayMs)
      }
    }
    const ctx = new Context()
    const seen: number[] = []
    const inside = withContext(ctx, { onProgress: (sentBytes) => seen.push(sentBytes) })
    inside.checkpoint()
    inside.progress?.(1)
    inside.retrying?.(2, 3, undefined)
    expect(ctx.told).toEqual(['checkpoint', 1, 2, 3])
    expect(seen).toEqual([1])
    expect(inside.signal).toBe(ctx.signal)
  })
})
