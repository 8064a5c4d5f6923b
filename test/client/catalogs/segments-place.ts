import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  type SegmentsCatalog,
  segmentsCatalog,
  type SegmentsCatalogOptions,
} from '../../../src/client/catalogs/segments.ts'
import type { Destination } from '../../../src/client/destination.ts'
import { memoryDestination, type MemoryDestination } from '../../../src/client/drivers/memory.ts'

/** A bucket as most services have them, and the machines that use it. */
export class SegmentsPlace {
  readonly destination: MemoryDestination = memoryDestination({ atomicNoClobber: false })
  readonly folder = mkdtempSync(join(tmpdir(), 'lumina-segments-'))
  readonly clock = { nowMs: 1_700_000_000_000 }
  readonly notices: string[] = []
  readonly #open: SegmentsCatalog[] = []
  #machines = 0

  constructor(objects: ReadonlyMap<string, Uint8Array> = new Map()) {
    for (const [key, content] of objects) this.destination.objects.set(key, content)
    onTestFinished(async () => {
      for (const catalog of this.#open) await catalog.close()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** As another machine, with no index yet, unless it is told which. */
  connect(options: Partial<SegmentsCatalogOptions> = {}): SegmentsCatalog {
    const machine = this.#machines++
    const catalog = segmentsCatalog({
      destination: this.destination,
      indexPath: join(this.folder, `index-${machine}.db`),
      id: 'test',
      holder: `holder-${machine}`,
      nowMs: () => this.clock.nowMs,
      notice: (code) => this.notices.push(code),
      ...options,
    })
    this.#open.push(catalog)
    return catalog
  }

  /** The files of the catalog, or those in a part of it. */
  files(part = ''): string[] {
    const start = `.lumina/catalog/${part}`
    return [...this.destination.objects.keys()].filter((key) => key.startsWith(start)).toSorted()
  }

  text(path: string): string {
    return Buffer.from(this.destination.objects.get(path) ?? '').toString()
  }

  write(path: string, text: string): void {
    this.destination.objects.set(path, Buffer.from(text))
  }

  /** The bucket, where each call that changes or reads something is told first, and may fail or wait. */
  watched(before: (call: 'put' | 'get' | 'list' | 'remove', path: string) => void | Promise<void>): Destination {
    const { destination } = this
    return {
      ...destination,
      async put(key, source, ctx) {
        await before('put', key)
        return destination.put(key, source, ctx)
      },
      async *get(key, from, ctx) {
        await before('get', key)
        yield* destination.get?.(key, from, ctx) ?? []
      },
      async *list(prefix, ctx) {
        await before('list', prefix)
        yield* destination.list?.(prefix, ctx) ?? []
      },
      async remove(key, ctx) {
        await before('remove', key)
        await destination.remove?.(key, ctx)
      },
    }
  }
}

export async function keysOf(catalog: SegmentsCatalog): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of catalog.entries()) found.push(key)
  return found
}
