import { closeSync, ftruncateSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Segment, SegmentReader, segmentOf } from '../../../src/client/catalogs/segments/format.ts'
import type { CatalogEntry } from '../../../src/client/destination.ts'
import { codeOf } from '../../contract/calls.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { keysOf, SegmentsPlace } from './segments-place.ts'

const nameAt = (at: number): string => `0000000001-1700000000000-${String(at).padStart(16, '0')}`
const pathOf = (name: string): string => `.lumina/catalog/loose/2023-11-14T22/${name}.ndjson`
const said = (at: number, entries: readonly object[]): string =>
  segmentOf(nameAt(at), { entries: entries as CatalogEntry[] }).text

async function readWith(text: string): Promise<{ keys: string[]; place: SegmentsPlace }> {
  const place = new SegmentsPlace()
  await place.connect().record([entryOf('good')])
  place.write(pathOf(nameAt(7)), text)
  return { keys: await keysOf(place.connect()), place }
}

describe('a segment that nobody of ours has written', () => {
  const good = said(7, [entryOf('a'), entryOf('b')])
  const lines = good.split('\n')

  it.each<[string, string]>([
    ['is empty', ''],
    ['is garbage', 'x'.repeat(1000)],
    ['is binary', '\0\u0001\ufffd\n'.repeat(100)],
    ['is torn in its head', good.slice(0, 20)],
    ['is torn in a line', good.slice(0, -20)],
    ['is torn between lines', `${lines.slice(0, 2).join('\n')}\n`],
    ['has no head', lines.slice(1).join('\n')],
    ['has a line changed', good.replace('"b.jpg"', '"c.jpg"')],
    ['has a line too many', `${good}{"key":"x"}\n`],
    ['has a huge line', `${lines[0]}\n${'x'.repeat(9_000_000)}\n`],
    ['is called otherwise', said(8, [entryOf('a')])],
    [
      'has a head with no end',
      `{"segment":"${nameAt(7)}","version":1,"lines":1e15,"sha256":"x"}\n${'x\n'.repeat(3e6)}`,
    ],
    ['has lines of another kind', said(7, [[], {}, { key: 'a' }])],
    ['leaves its prefix', said(7, [entryOf('a', { key: '../a.jpg' })])],
    ['leaves its prefix in the middle', said(7, [entryOf('a', { key: 'a/../../b.jpg' })])],
    ['has an absolute key', said(7, [entryOf('a', { key: '/etc/passwd' })])],
    ['has a key of Windows', said(7, [entryOf('a', { key: 'a\\..\\b' })])],
    ['names what is Lumina’s own', said(7, [entryOf('a', { key: '.lumina/catalog/id.json' })])],
    ['has a key that moves the cursor', said(7, [entryOf('a', { key: 'a\u001b[2J.jpg' })])],
    ['has a key that is no text', said(7, [entryOf('a', { key: '\ud800.jpg' })])],
    ['has an endless key', said(7, [entryOf('a', { key: 'a'.repeat(5000) })])],
    ['has a bad digest', said(7, [entryOf('a', { digest: 'A'.repeat(64) })])],
    ['has a short digest', said(7, [entryOf('a', { digest: 'abcd' })])],
    ['has bad sizes', said(7, [entryOf('a', { bytes: -1 })])],
    ['has a bad head', said(7, [entryOf('a', { head: 'x' })])],
    ['has a bad date', said(7, [{ ...entryOf('a'), takenAt: 2020 }])],
    ['forgets what is no key', segmentOf(nameAt(7), { forgotten: ['../x'] }).text],
  ])('counts for nothing when it %s', async (_, text) => {
    const { keys, place } = await readWith(text)
    expect(keys.filter((key) => key !== 'a.jpg' || text.startsWith(good))).toEqual(
      text.startsWith(good) ? ['a.jpg', 'b.jpg', 'good.jpg'] : ['good.jpg'],
    )
    expect(place.notices).toEqual(['catalog-segment-damaged'])
  })

  it('is told once a run, is never removed, and is read again once it is whole', async () => {
    const { place } = await readWith(good.slice(0, -20))
    const indexPath = join(place.folder, 'index.db')
    const catalog = place.connect({ indexPath })
    for (let times = 0; times < 3; times++) {
      place.clock.nowMs += 60_000
      await catalog.known([digestOf('a')])
    }
    expect(place.notices).toHaveLength(2)
    for (let at = 0; at < 70; at++) await catalog.record([entryOf(`${at}`)])
    await catalog.releaseOwn()
    expect(place.files('loose/')).toEqual([pathOf(nameAt(7))])
    place.write(pathOf(nameAt(7)), good)
    await catalog.releaseOwn()
    expect((await catalog.known([digestOf('a')])).size).toBe(1)
  })

  it.each([
    'x.ndjson',
    'loose/x.ndjson',
    'loose/a/b/c.ndjson',
    'packs/x',
    `packs/${nameAt(1)}.ndjson`,
    'loose/h/../../x',
  ])('is not even looked at as %s', async (name) => {
    const place = new SegmentsPlace()
    place.write(`.lumina/catalog/${name}`, said(7, [entryOf('a')]))
    expect(await keysOf(place.connect())).toEqual([])
    expect(place.notices).toEqual([])
  })

  it('can neither be forgotten into nor keep anything from being forgotten', async () => {
    const place = new SegmentsPlace()
    const name = `0000900000-1700000000000-${'f'.repeat(16)}`
    place.write(pathOf(name), segmentOf(name, { entries: [entryOf('a')] }).text)
    const [one, two] = [place.connect(), place.connect()]
    expect(await keysOf(one)).toEqual(['a.jpg'])
    await one.forget(['a.jpg'])
    expect(await keysOf(one)).toEqual([])
    await one.record([entryOf('a', { bytes: 9 })])
    for (const who of [one, two, place.connect()]) {
      await who.refresh()
      expect(await keysOf(who)).toEqual(['a.jpg'])
    }
  })

  it('of a newer Lumina is not passed over', async () => {
    const place = new SegmentsPlace()
    place.write(pathOf(nameAt(7)), good.replace('"version":1', '"version":2'))
    expect(await codeOf(place.connect().known([digestOf('a')]))).toBe('state-newer')
  })
})

describe('what this machine tells', () => {
  it('is always what others can read', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    await one.record([entryOf('a'), entryOf('b', { camera: 'c'.repeat(100_000) }), entryOf('c')])
    expect(await keysOf(place.connect())).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
    await one.forget(['../x', 'a.jpg', ''])
    expect(await keysOf(place.connect())).toEqual(['b.jpg', 'c.jpg'])
    expect(place.notices).toEqual([])
  })
})

describe('a transfer of a segment that breaks off', () => {
  it('is no damage: the segment is read another time', async () => {
    const place = new SegmentsPlace()
    await place.connect().record([entryOf('a')])
    let broken = true
    const destination = {
      ...place.destination,
      async *get(key: string) {
        const text = place.text(key)
        yield Buffer.from(broken ? text.slice(0, 50) : text)
      },
    }
    const catalog = place.connect({ destination })
    expect(await keysOf(catalog)).toEqual([])
    broken = false
    place.clock.nowMs += 60_000
    expect(await keysOf(catalog)).toEqual(['a.jpg'])
    expect(place.notices).toEqual([])
  })
})

describe('the reader of segments', () => {
  const segments = [said(1, [entryOf('a'), entryOf('é…')]), said(2, []), said(3, [entryOf('b', { name: '\udc80\n' })])]

  it('finds the same in whatever chunks they come, which are not its own', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const bytes = Buffer.from(segments.join(''))
        const reader = new SegmentReader()
        const texts: string[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const chunk = Buffer.from(bytes.subarray(at, at + (sizes[turn % sizes.length] as number)))
          at += chunk.length
          for (const found of reader.push(chunk)) texts.push((found as Segment).text)
          chunk.fill(0)
        }
        expect(reader.end()).toEqual([])
        expect(texts).toEqual(segments)
      }),
    )
  })

  it('gives up in time on what has no end', () => {
    const reader = new SegmentReader()
    reader.push(Buffer.from(`{"segment":"${nameAt(7)}","version":1,"lines":1000000000,"sha256":"x"}\n`))
    const line = Buffer.from(`${'x'.repeat(50_000)}\n`)
    let bytes = 0
    while (reader.push(line).length === 0) bytes += line.length
    expect(bytes).toBeLessThan(5 * 1024 * 1024)
    expect(reader.push(Buffer.alloc(10_000_000))).toEqual([])
  })

  it('goes on behind what is damaged', () => {
    const text = [segments[0]?.replace('a.jpg', 'x.jpg'), 'garbage\n', segments[1], '\n\n', segments[2]].join('')
    const reader = new SegmentReader()
    const found = reader.push(Buffer.from(text))
    expect(found.flatMap((part) => ('fault' in part ? [] : [part.name]))).toEqual([nameAt(2), nameAt(3)])
    expect(found.filter((part) => 'fault' in part)).toHaveLength(2)
  })
})

describe('the index', () => {
  it('may be lost at any time', async () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    const catalog = place.connect({ indexPath })
    await catalog.record([entryOf('a'), entryOf('b')])
    await catalog.forget(['b.jpg'])
    const identity = await catalog.identity()
    await catalog.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(indexPath + suffix, { force: true })
    const again = place.connect({ indexPath })
    expect(await again.identity()).toEqual(identity)
    expect(await keysOf(again)).toEqual(['a.jpg'])
  })

  it.each([
    ['garbage', 'This is no database. '.repeat(1000)],
    ['nothing', ''],
  ])('may be turned to %s', async (_, content) => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    const catalog = place.connect({ indexPath })
    await catalog.record([entryOf('a')])
    await catalog.close()
    writeFileSync(indexPath, content)
    expect(await keysOf(place.connect({ indexPath }))).toEqual(['a.jpg'])
  })

  it('that can’t be written is told in one line', () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'missing', 'index.db')
    expect(() => place.connect({ indexPath })).toThrow(expect.objectContaining({ code: 'config' }))
  })

  it('may be damaged in mid-run, under the one who finds it', async () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    const catalog = place.connect({ indexPath })
    await catalog.record(Array.from({ length: 1000 }, (_, at) => entryOf(`${at}`)))
    for (const suffix of ['', '-wal']) {
      writeFileSync(indexPath + suffix, Buffer.alloc(statSync(indexPath + suffix).size, 0x55))
    }
    expect(await keysOf(catalog)).toHaveLength(1000)
    await catalog.record([entryOf('a')])
    expect(await keysOf(place.connect({ indexPath }))).toHaveLength(1001)
  })

  it('may be damaged in mid-run, under all lanes', async () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    const lanes = [place.connect({ indexPath }), place.connect({ indexPath })]
    const entries = Array.from({ length: 1000 }, (_, at) => entryOf(`${at}`))
    await lanes[0]?.record(entries)
    for (const suffix of ['', '-wal']) {
      const fd = openSync(indexPath + suffix, 'r+')
      const { size } = statSync(indexPath + suffix)
      ftruncateSync(fd, 0)
      ftruncateSync(fd, size)
      closeSync(fd)
      writeFileSync(indexPath + suffix, Buffer.alloc(size, 0x55))
    }
    const wants = [claimOf('claimed')]
    expect(await place.connect({ indexPath }).claim(wants)).toEqual([{ answer: 'granted' }])
    // those who had it open find what a third has made anew
    for (const lane of lanes) expect(await lane.claim(wants)).toMatchObject([{ answer: 'held' }])
    for (const [at, lane] of lanes.entries()) {
      await lane.record([entryOf(`new-${at}`)])
      expect(await lane.claim([claimOf('7', { key: 'x.jpg' })])).toEqual([{ answer: 'known', key: '7.jpg' }])
    }
    expect(readdirSync(place.folder).filter((name) => name.startsWith('index.db') && !name.includes('-'))).toEqual([
      'index.db.1',
    ])
    for (const lane of [...lanes, place.connect(), place.connect({ indexPath })]) {
      await lane.refresh()
      expect(await keysOf(lane)).toHaveLength(1002)
    }
    expect(await place.connect({ indexPath }).claim(wants)).toMatchObject([{ answer: 'held' }])
  })
})
