import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { segmentsCatalog } from '../../../src/client/catalogs/segments.ts'
import type { Destination } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { LuminaError } from '../../../src/errors.ts'
import { codeOf } from '../../contract/calls.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { openElsewhere } from '../../contract/elsewhere.ts'
import { keysOf, SegmentsPlace } from './segments-place.ts'

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

testCatalog('segments, the processes of one machine', (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-segments-'))
  const nowMs = (): number => clock.nowMs
  return {
    nowMs,
    open: (user) => openElsewhere('segments', folder, { ...user, nowMs }),
    elsewhere: { kind: 'segments', folder },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
})

describe('two machines', () => {
  it('see what the other has recorded when they open, when they are asked to look, and after a while', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    await one.record([entryOf('a')])
    const two = place.connect()
    expect(await keysOf(two)).toEqual(['a.jpg'])
    await one.record([entryOf('b')])
    await two.refresh()
    expect(await keysOf(two)).toEqual(['a.jpg', 'b.jpg'])
    await one.record([entryOf('c')])
    place.clock.nowMs += 60_000
    expect(await two.claim([claimOf('c', { key: 'x.jpg' })])).toEqual([{ answer: 'known', key: 'c.jpg' }])
    await two.record([entryOf('d')])
    await one.releaseOwn()
    expect(await keysOf(one)).toEqual(['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
  })

  it.each([1, 5, 24 * 60])(
    'see it too when they were away for %i minutes, or one clock is off by some',
    async (minutes) => {
      const place = new SegmentsPlace()
      const two = place.connect()
      expect(await keysOf(two)).toEqual([])
      const one = place.connect({ nowMs: () => place.clock.nowMs - 5 * 60_000 })
      await one.record([entryOf('a')])
      place.clock.nowMs += minutes * 60_000
      await one.record([entryOf('b')])
      expect(await keysOf(two)).toEqual(['a.jpg', 'b.jpg'])
      place.clock.nowMs -= 7 * 24 * 3_600_000
      await one.record([entryOf('c')])
      expect(await keysOf(two)).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
    },
  )

  it('forget what either has forgotten, in a new epoch, and know what was stored again', async () => {
    const place = new SegmentsPlace()
    const [one, two] = [place.connect(), place.connect()]
    await one.record([entryOf('a'), entryOf('b')])
    await two.refresh()
    const before = await two.identity()
    await one.forget(['a.jpg'])
    await two.refresh()
    expect(await keysOf(two)).toEqual(['b.jpg'])
    expect((await two.identity()).epoch).toBeGreaterThan(before.epoch)
    await two.record([entryOf('a')])
    for (const who of [one, place.connect()]) {
      await who.refresh()
      expect(await keysOf(who)).toEqual(['a.jpg', 'b.jpg'])
      expect(await who.identity()).toEqual(await two.identity())
    }
  })

  it('come to the same in whatever order they read', async () => {
    const place = new SegmentsPlace()
    const [one, two] = [place.connect(), place.connect()]
    await one.record([entryOf('a'), entryOf('b'), entryOf('c')])
    await two.refresh()
    await one.forget(['a.jpg', 'b.jpg'])
    await two.forget(['b.jpg', 'c.jpg'])
    await one.record([entryOf('b')])
    await one.refresh()
    await one.record([entryOf('c')])
    const files = place.files()
    const list = (order: (files: string[]) => string[]) => () =>
      (async function* () {
        for (const key of order(files)) yield { key, bytes: place.text(key).length }
      })()
    const expected = ['b.jpg', 'c.jpg']
    let seed = 1
    const shuffled = (all: string[]): string[] =>
      all.toSorted(() => ((seed = (seed * 16_807) % 2_147_483_647) % 2 ? 1 : -1))
    const orders = [
      (all: string[]) => all,
      (all: string[]) => all.toReversed(),
      ...Array.from({ length: 20 }, () => shuffled),
    ]
    for (const order of orders) {
      const reader = place.connect({ destination: { ...place.destination, list: list(order) } })
      expect(await keysOf(reader)).toEqual(expected)
      expect((await reader.identity()).epoch).toBe(3)
    }
  })

  it('may both store one content, of which each keeps to the key it knew first', async () => {
    const place = new SegmentsPlace()
    const [one, two] = [place.connect(), place.connect()]
    expect(await one.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
    expect(await two.claim([claimOf('a', { key: 'b.jpg' })])).toEqual([{ answer: 'granted' }])
    await one.record([entryOf('a')])
    await two.record([entryOf('a', { key: 'b.jpg' })])
    for (const [who, key] of [
      [one, 'a.jpg'],
      [two, 'b.jpg'],
    ] as const) {
      await who.refresh()
      expect(await who.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), key]]))
    }
  })
})

describe('a segment', () => {
  it('is one for what is recorded at once, and read once by each machine', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    await one.record([entryOf('a'), entryOf('b')])
    await one.record([entryOf('a')])
    expect(place.files('loose/')).toHaveLength(1)
    const reads: string[] = []
    const destination = place.watched((call, path) => void (call === 'get' && reads.push(path)))
    const indexPath = join(place.folder, 'two.db')
    const two = place.connect({ destination, indexPath })
    for (let times = 0; times < 3; times++) await two.refresh()
    await place.connect({ destination, indexPath }).releaseOwn()
    expect(reads).toEqual(place.files('loose/'))
    await one.record([entryOf('c')])
    await two.refresh()
    expect(reads.toSorted()).toEqual(place.files('loose/'))
  })

  it('is looked for once in a while by the hour, and by one lane of a machine', async () => {
    const place = new SegmentsPlace()
    place.clock.nowMs = Date.UTC(2026, 0, 2, 3, 30)
    const lists: string[] = []
    const destination = place.watched((call, path) => void (call === 'list' && lists.push(path)))
    const indexPath = join(place.folder, 'index.db')
    const lanes = [place.connect({ destination, indexPath }), place.connect({ destination, indexPath })]
    for (let times = 0; times < 3; times++) for (const lane of lanes) await lane.known([digestOf('a')])
    expect(lists).toEqual(['.lumina/catalog/'])
    place.clock.nowMs += 45_000
    for (const lane of lanes) await lane.known([digestOf('a')])
    expect(lists).toEqual(['.lumina/catalog/', '.lumina/catalog/loose/2026-01-02T03/'])
  })

  it('holds a megabyte or so: more is more segments', async () => {
    const place = new SegmentsPlace()
    const entries = Array.from({ length: 2500 }, (_, at) =>
      entryOf(`${at + 10_000}`, { name: '\udc80'.repeat(at < 500 ? 1000 : 10) }),
    )
    await place.connect().record(entries)
    for (const path of place.files('loose/')) expect(place.text(path).length).toBeLessThan(2 * 1024 * 1024)
    expect(await keysOf(place.connect())).toHaveLength(2500)
    expect(place.notices).toEqual([])
  })

  it('is stored before its entries are known, and nothing is known of one that was not', async () => {
    const place = new SegmentsPlace()
    let refuse = true
    const destination = place.watched((call) => {
      if (call === 'put' && refuse) throw new LuminaError('destination-refused', 'No.')
    })
    const catalog = place.connect({ destination })
    expect(await codeOf(catalog.record([entryOf('a')]))).toBe('destination-refused')
    expect(await codeOf(catalog.forget(['a.jpg']))).toBe('destination-refused')
    expect(await keysOf(catalog)).toEqual([])
    refuse = false
    await catalog.record([entryOf('a')])
    expect(await keysOf(place.connect())).toEqual(['a.jpg'])
  })

  it('whose answer was lost is taken for stored when it is, and stored again when nobody can tell', async () => {
    const place = new SegmentsPlace()
    let answers = 0
    const lossy = (code: 'key-taken' | 'unconfirmed', stores: boolean) => ({
      ...place.destination,
      put: async (...args: Parameters<typeof place.destination.put>) => {
        answers += 1
        if (stores || answers > 1) await place.destination.put(...args)
        if (answers > 1) return { key: args[0], bytes: args[1].bytes }
        throw new LuminaError(code, 'Who knows.')
      },
    })
    await place.connect({ destination: lossy('key-taken', true) }).record([entryOf('a')])
    answers = 0
    await place.connect({ destination: lossy('unconfirmed', true) }).record([entryOf('b')])
    answers = 0
    await place.connect({ destination: lossy('unconfirmed', false) }).record([entryOf('c')])
    expect(place.files('loose/')).toHaveLength(4)
    expect(await keysOf(place.connect())).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
  })

  it('is not taken for stored when another lies under its name', async () => {
    const place = new SegmentsPlace()
    const random = (): string => '0123456789abcdef'
    await place.connect({ random }).record([entryOf('a')])
    const atomic = memoryDestination()
    for (const [key, content] of place.destination.objects) atomic.objects.set(key, content)
    expect(await codeOf(place.connect({ random, destination: atomic }).record([entryOf('longer')]))).toBe('key-taken')
  })
})

describe('a bucket', () => {
  it('that lets nothing be listed or read still takes what is recorded, and this machine knows that', async () => {
    const place = new SegmentsPlace()
    await place.connect().record([entryOf('a')])
    const blind: Destination = { ...place.destination }
    delete blind.list
    delete blind.get
    const indexPath = join(place.folder, 'index.db')
    await place.connect({ destination: blind, indexPath }).record([entryOf('b')])
    const again = place.connect({ destination: blind, indexPath })
    await again.releaseOwn()
    expect(await keysOf(again)).toEqual(['b.jpg'])
    expect(await keysOf(place.connect())).toEqual(['a.jpg', 'b.jpg'])
  })

  it('that shows nothing any more is no empty one', async () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    await place.connect({ indexPath }).record([entryOf('a')])
    const destination = {
      ...place.watched((call) => {
        if (call === 'put') throw new LuminaError('destination-refused', 'No.')
      }),
      async *list() {
        // as Supabase answers those who may not look
      },
    }
    const catalog = place.connect({ destination, indexPath })
    await catalog.releaseOwn()
    expect(place.notices).toEqual(['catalog-unreadable'])
    expect(await keysOf(catalog)).toEqual(['a.jpg'])
    expect(await codeOf(catalog.record([entryOf('b')]))).toBe('destination-refused')
  })

  it('that can’t be listed for the moment ends what was asked, which may be asked again', async () => {
    const place = new SegmentsPlace()
    await place.connect().record([entryOf('a')])
    let down = true
    const destination = place.watched((call) => {
      if (call === 'list' && down) throw new LuminaError('destination-unreachable', 'Nobody is there.')
    })
    const catalog = place.connect({ destination })
    expect(await codeOf(catalog.known([digestOf('a')]))).toBe('destination-unreachable')
    down = false
    expect((await catalog.known([digestOf('a')])).size).toBe(1)
  })
})

describe('a process that is killed', () => {
  const entry = fileURLToPath(new URL('../../contract/racer.ts', import.meta.url))

  it.each([1, 60, 120, 300])('loses nothing that it has acknowledged: %i contents', async (contents) => {
    const { folder } = new SegmentsPlace()
    const child = spawn(process.execPath, [entry, 'segments', folder, 'doomed', '5000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(child, 'close')
    let told = ''
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      told += chunk.toString()
      if (told.split('\n').length > contents) child.kill('SIGKILL')
    }
    await closed
    expect(child.signalCode).toBe('SIGKILL')
    const acknowledged = told.split('\n').slice(0, -1)
    const digests = acknowledged.map((line) => line.split(' ')[0] as string)
    // the same machine, and another
    for (const kind of ['segments', 'segments, many machines']) {
      const survivor = openElsewhere(kind, folder, { holder: 'survivor' })
      const known = await survivor.known(digests)
      expect(digests.map((digest) => `${digest} ${known.get(digest)}`)).toEqual(acknowledged)
      await survivor.record([entryOf(kind)])
      await survivor.close()
    }
  })
})
