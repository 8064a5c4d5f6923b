import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type SegmentsCatalog,
  segmentsCatalog,
  type SegmentsCatalogOptions,
} from '../../../src/client/catalogs/segments.ts'
import { memoryDestination, type MemoryDestination } from '../../../src/client/drivers/memory.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { entryOf } from '../../contract/catalog-entries.ts'

testCatalog('segments, one machine', (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-segments-'))
  const destination = memoryDestination()
  const nowMs = (): number => clock.nowMs
  return {
    nowMs,
    open: (user) => segmentsCatalog({ destination, indexPath: join(folder, 'index.db'), id: 'test', nowMs, ...user }),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
})

let folder: string
let destination: MemoryDestination
let open: SegmentsCatalog[]
let clock: { nowMs: number }
let notices: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-segments-'))
  destination = memoryDestination({ atomicNoClobber: false })
  open = []
  clock = { nowMs: 1_700_000_000_000 }
  notices = []
})
afterEach(async () => {
  for (const catalog of open) await catalog.close()
  rmSync(folder, { recursive: true, force: true })
})

let machines = 0
/** As another machine, with no index yet, unless it is told which. */
const connect = (options: Partial<SegmentsCatalogOptions> = {}): SegmentsCatalog => {
  const catalog = segmentsCatalog({
    destination,
    indexPath: join(folder, `index-${machines++}.db`),
    id: 'test',
    holder: 'me',
    nowMs: () => clock.nowMs,
    notice: (code) => notices.push(code),
    ...options,
  })
  open.push(catalog)
  return catalog
}
const keys = async (catalog: SegmentsCatalog): Promise<string[]> => {
  const found: string[] = []
  for await (const { key } of catalog.entries()) found.push(key)
  return found
}
const filesIn = (part: string): string[] =>
  [...destination.objects.keys()].filter((key) => key.startsWith(`.lumina/catalog/${part}`)).toSorted()

describe('two machines', () => {
  it('see what the other has recorded when they open, when they are asked to look, and after a while', async () => {
    const one = connect()
    await one.record([entryOf('a')])
    const two = connect({ holder: 'other' })
    expect(await keys(two)).toEqual(['a.jpg'])
    await one.record([entryOf('b')])
    await two.refresh()
    expect(await keys(two)).toEqual(['a.jpg', 'b.jpg'])
    await one.record([entryOf('c')])
    clock.nowMs += 60_000
    expect(await keys(two)).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
    await two.record([entryOf('d')])
    await one.releaseOwn()
    expect(await keys(one)).toEqual(['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
  })

  it('forget what either has forgotten, in a new epoch', async () => {
    const [one, two] = [connect(), connect({ holder: 'other' })]
    await one.record([entryOf('a'), entryOf('b')])
    await two.refresh()
    const before = await two.identity()
    await one.forget(['a.jpg'])
    await two.refresh()
    expect(await keys(two)).toEqual(['b.jpg'])
    expect((await two.identity()).epoch).toBeGreaterThan(before.epoch)
    await two.record([entryOf('a')])
    for (const who of [one, connect()]) {
      await who.refresh()
      expect(await keys(who)).toEqual(['a.jpg', 'b.jpg'])
    }
  })
})

describe('a segment', () => {
  it('is one for what is recorded at once, and read once by each machine', async () => {
    const one = connect()
    await one.record([entryOf('a'), entryOf('b')])
    await one.record([entryOf('a')])
    expect(filesIn('loose/')).toHaveLength(1)
    let reads = 0
    const two = connect({
      destination: {
        ...destination,
        get: (key, from, ctx) => {
          reads += 1
          return destination.get?.(key, from, ctx) as AsyncIterable<Uint8Array>
        },
      },
    })
    for (let times = 0; times < 3; times++) await two.refresh()
    expect(reads).toBe(1)
    await one.record([entryOf('c')])
    await two.refresh()
    expect(reads).toBe(2)
  })
})
