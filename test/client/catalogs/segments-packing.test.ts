import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { SegmentsCatalog } from '../../../src/client/catalogs/segments.ts'
import { LuminaError } from '../../../src/errors.ts'
import { tryLock } from '../../../src/state/lock.ts'
import { digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { keysOf, SegmentsPlace } from './segments-place.ts'

const texts = (count: number, from = 0): string[] => Array.from({ length: count }, (_, at) => `${1000 + from + at}`)
const keysFor = (names: readonly string[]): string[] => names.map((text) => `${text}.jpg`)

async function recordEach(catalog: SegmentsCatalog, names: readonly string[]): Promise<void> {
  for (const name of names) await catalog.record([entryOf(name)])
}

describe('packing', () => {
  it('makes one file of many small ones when a run begins, and everybody still knows the same', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    await recordEach(one, texts(64))
    await one.releaseOwn()
    expect(place.files('packs/')).toEqual([])
    await one.record([entryOf('more')])
    await one.forget(['1003.jpg'])
    const early = place.connect()
    const identity = await early.identity()
    await place.connect().releaseOwn()
    expect(place.files('loose/')).toEqual([])
    expect(place.files('packs/')).toHaveLength(1)
    const expected = keysFor([...texts(64).filter((text) => text !== '1003'), 'more'])
    for (const who of [one, early, place.connect()]) {
      await who.refresh()
      expect(await keysOf(who)).toEqual(expected)
      expect(await who.identity()).toEqual(identity)
    }
    expect(place.notices).toEqual([])
  })

  it('goes on with what was packed before, into packs that are read once and never grow too large', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    const long = (name: string) => entryOf(name, { name: 'n'.repeat(15_000) })
    for (let round = 0; round < 12; round++) {
      await Promise.all(texts(65, round * 65).map((name) => one.record([round === 0 ? long(name) : entryOf(name)])))
      place.clock.nowMs += 1000
      await one.releaseOwn()
    }
    expect(place.files('loose/')).toEqual([])
    const reads: string[] = []
    const two = place.connect({ destination: place.watched((call, path) => void (call === 'get' && reads.push(path))) })
    expect(await keysOf(two)).toHaveLength(12 * 65)
    expect(reads.toSorted()).toEqual(place.files('packs/'))
    for (const path of place.files('packs/')) expect(place.text(path).length).toBeLessThan(10 * 1024 * 1024)
  })

  it('is left to the one process of a machine that is at it', async () => {
    const place = new SegmentsPlace()
    const indexPath = join(place.folder, 'index.db')
    const one = place.connect({ indexPath })
    await recordEach(one, texts(65))
    const lock = tryLock(`${indexPath}.packing`)
    await one.releaseOwn()
    expect(place.files('packs/')).toEqual([])
    lock?.release()
    await one.releaseOwn()
    expect(place.files('packs/')).toHaveLength(1)
  })

  it('ends no run when the bucket lets nothing be removed, and does not write the same again', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(65))
    const destination = place.watched((call) => {
      if (call === 'remove') throw new LuminaError('destination-refused', 'No.')
    })
    const indexPath = join(place.folder, 'index.db')
    for (let run = 0; run < 3; run++) {
      const catalog = place.connect({ destination, indexPath })
      await catalog.releaseOwn()
      expect(await keysOf(catalog)).toEqual(keysFor(texts(65)))
    }
    expect(place.files('packs/')).toHaveLength(1)
    expect(place.notices).toEqual(Array.from({ length: 3 }, () => 'catalog-not-packed'))
  })

  it('does nothing where nothing can be removed', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(65))
    const destination = { ...place.destination }
    delete destination.remove
    await place.connect({ destination }).releaseOwn()
    expect(place.files('packs/')).toEqual([])
  })

  it('removes nothing that is not in a pack which can be read, at no time', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(100))
    const destination = place.watched((call, path) => {
      if (call !== 'remove') return
      const packs = place.files('packs/').filter((pack) => pack > path)
      expect(packs.some((pack) => place.text(pack).includes(place.text(path)))).toBe(true)
    })
    await place.connect({ destination }).releaseOwn()
    expect(place.files()).toHaveLength(1)
  })

  it('keeps what a pack had that is gone', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(65))
    const loose = new Map(place.destination.objects)
    const indexPath = join(place.folder, 'index.db')
    await place.connect({ indexPath }).releaseOwn()
    place.destination.objects.clear()
    for (const [path, content] of loose) place.destination.objects.set(path, content)
    await place.connect({ indexPath }).releaseOwn()
    expect(await keysOf(place.connect())).toEqual(keysFor(texts(65)))
  })

  it('keeps each segment once, of packs that share some', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(3))
    const [one, two, three] = place.files('loose/').map((path) => place.text(path))
    place.write(`.lumina/catalog/packs/1600000000000-${'0'.repeat(16)}.ndjson`, `${one}${two}`)
    place.write(`.lumina/catalog/packs/1900000000000-${'0'.repeat(16)}.ndjson`, `${one}${three}`)
    for (const path of place.files('loose/')) place.destination.objects.delete(path)
    await recordEach(place.connect(), texts(64, 3))
    await place.connect().releaseOwn()
    expect(place.files()).toHaveLength(1)
    const lines = place.text(place.files()[0] as string).split('\n')
    expect(lines.filter((line) => line.startsWith('{"segment"'))).toHaveLength(67)
    expect(await keysOf(place.connect())).toEqual(keysFor(texts(67)))
  })

  it.each(['opens', 'has been open for a while'])(
    'hides nothing from a machine that looks meanwhile when it %s',
    async (when) => {
      const place = new SegmentsPlace()
      const packer = place.connect()
      let pack = when === 'opens'
      const destination = place.watched(async (call) => {
        if (call !== 'get' || !pack) return
        pack = false
        await packer.releaseOwn()
      })
      const reader = place.connect({ destination })
      if (!pack) await reader.refresh()
      await recordEach(packer, texts(65))
      pack = true
      place.clock.nowMs += 60_000
      expect((await reader.known(texts(65).map(digestOf))).size).toBe(65)
      expect(place.files('loose/')).toEqual([])
    },
  )

  it('bears a pack that can’t be read back', async () => {
    const place = new SegmentsPlace()
    await recordEach(place.connect(), texts(65))
    const torn = {
      ...place.destination,
      put: async (...[key, source, ctx]: Parameters<typeof place.destination.put>) => {
        const stored = await place.destination.put(key, source, ctx)
        place.write(key, place.text(key).slice(0, -10))
        return stored
      },
    }
    await place.connect({ destination: torn }).releaseOwn()
    expect(place.files('loose/').length).toBeGreaterThan(0)
    expect(await keysOf(place.connect())).toEqual(keysFor(texts(65)))
  })

  it('never trusts a pack which says other than the segments themselves', async () => {
    const place = new SegmentsPlace()
    const one = place.connect()
    await recordEach(one, texts(65))
    const other = new SegmentsPlace()
    await recordEach(other.connect(), ['lie'])
    // as if it held all of them, each with another content
    const lie = place
      .files('loose/')
      .map((path) => other.text(other.files('loose/')[0] as string).replace(/\d{10}-\d{13}-[0-9a-f]{16}/, nameIn(path)))
    place.write(`.lumina/catalog/packs/1800000000000-${'0'.repeat(16)}.ndjson`, lie.join(''))
    await one.releaseOwn()
    await place.connect().releaseOwn()
    expect(place.notices).toContain('catalog-segment-damaged')
    expect(await keysOf(place.connect())).toEqual(expect.arrayContaining(keysFor(texts(65))))
  })
})

const nameIn = (path: string): string => /([^/]+)\.ndjson$/.exec(path)?.[1] as string

describe('packing that was killed', () => {
  class Killed extends Error {}

  it('at any step leaves everything known to everybody, and is finished by the next', async () => {
    const made = new SegmentsPlace()
    await recordEach(made.connect(), texts(66))
    const expected = keysFor(texts(66))
    // 66 reads of a machine that is new, 66 to merge, the pack and its reading; then a look and a removal for each
    const steps = [0, 65, 66, 131, 132, 133, 134, 135, 136, 137, 138, 201, 202, 264, 265, 266]
    const outcomes: boolean[] = []
    for (const step of steps) {
      const place = new SegmentsPlace(made.destination.objects)
      const indexPath = join(place.folder, 'index.db')
      let calls = 0
      const destination = place.watched((call) => {
        if (call !== 'list' && calls++ >= step) throw new Killed()
      })
      const first = place.connect({ destination, indexPath })
      outcomes.push(
        await first.releaseOwn().then(
          () => false,
          (error: unknown) => error instanceof Killed,
        ),
      )
      expect(await keysOf(place.connect())).toEqual(expected)
      // the same machine goes on, or another
      await place.connect(step % 2 === 0 ? { indexPath } : {}).releaseOwn()
      expect(place.files('loose/')).toEqual([])
      expect(await keysOf(place.connect())).toEqual(expected)
    }
    expect(outcomes).toEqual(steps.map((step) => step < 266))
  })
})

describe('machines that pack, write and read at once', () => {
  it('lose nothing, in whatever order their calls come', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const place = new SegmentsPlace()
      await recordEach(place.connect(), texts(70))
      let random = seed
      const destination = place.watched(async () => {
        random = (random * 48_271) % 2_147_483_647
        for (let turns = random % 7; turns > 0; turns--) await setImmediate()
      })
      const machines = Array.from({ length: 4 }, () => place.connect({ destination }))
      await Promise.all(
        machines.map(async (machine, at) => {
          await machine.releaseOwn()
          await recordEach(machine, texts(20, 100 * (at + 1)))
          await machine.releaseOwn()
        }),
      )
      const all = [...texts(70), ...[1, 2, 3, 4].flatMap((at) => texts(20, 100 * at))]
      const late = place.connect()
      await late.releaseOwn()
      expect(await keysOf(late)).toEqual(keysFor(all))
      expect((await place.connect().known(all.map(digestOf))).size).toBe(all.length)
      for (const machine of machines) {
        await machine.refresh()
        expect(await keysOf(machine)).toEqual(keysFor(all))
      }
      expect(place.files('loose/').length).toBeLessThanOrEqual(64)
      expect(place.notices).toEqual([])
    }
  })
})
