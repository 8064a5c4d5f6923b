import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Catalog, CatalogEntry, Claim, ClaimAnswer } from '../../src/client/destination.ts'
import { claimOf, digestOf, entryOf } from './catalog-entries.ts'

export interface CatalogUser {
  holder: string
  /** Which holders live; without it, only leases tell. */
  holderAlive?: (holder: string) => boolean | undefined
}

/** A place where a catalog lies. */
export interface CatalogPlace {
  /** A connection of its own; all see one catalog. The clock is `nowMs`. */
  open(user: CatalogUser): Catalog
  nowMs: () => number
  /** What `racer.ts` needs to open it in another process; absent where no other can. */
  elsewhere?: { kind: string; folder: string }
  dispose?: () => void
}

export interface CatalogClock {
  nowMs: number
}

/** Longer than any lease that a catalog may grant. */
const aLongWhileMs = 24 * 60 * 60 * 1000

/**
 * The suite that every catalog passes. `make` gives a new, empty one each time, on the given clock. `alone`: one connection is all
 * there can be, so that what two see and do is left out. `leasesOnly`: nothing but its lease tells whether a holder lives.
 */
export function testCatalog(
  name: string,
  make: (clock: CatalogClock) => CatalogPlace,
  { alone = false, leasesOnly = false } = {},
): void {
  const together = (what: string, test: () => Promise<void>): void => {
    if (!alone) it(what, test)
  }
  const alive = (what: string, test: () => Promise<void>): void => {
    if (!leasesOnly) together(what, test)
  }
  describe(`catalog: ${name}`, () => {
    let clock: CatalogClock
    let place: CatalogPlace
    let open: Catalog[]
    let catalog: Catalog
    const connect = (user: Partial<CatalogUser> = {}): Catalog => {
      const connection = place.open({ holder: 'me', ...user })
      open.push(connection)
      return connection
    }
    beforeEach(() => {
      clock = { nowMs: 1_700_000_000_000 }
      open = []
      place = make(clock)
      catalog = connect()
    })
    afterEach(async () => {
      for (const connection of open) await connection.close()
      place.dispose?.()
    })

    const claim = async (claimed: Claim, who = catalog): Promise<ClaimAnswer> => {
      const [answer] = await who.claim([claimed])
      if (!answer) throw new Error('Each wish has an answer.')
      return answer
    }
    const all = async (who = catalog): Promise<CatalogEntry[]> => {
      const entries: CatalogEntry[] = []
      for await (const entry of who.entries()) entries.push(entry)
      return entries
    }

    describe('known and record', () => {
      it('knows nothing at first', async () => {
        expect(await catalog.known([digestOf('a')])).toEqual(new Map())
        expect(await catalog.known([])).toEqual(new Map())
        expect(await all()).toEqual([])
      })

      together('knows what was recorded, in every connection', async () => {
        const other = connect({ holder: 'other' })
        await catalog.record([entryOf('a'), entryOf('b')])
        const expected = new Map([
          [digestOf('a'), 'a.jpg'],
          [digestOf('b'), 'b.jpg'],
        ])
        for (const who of [catalog, other, connect()]) {
          expect(await who.known([digestOf('a'), digestOf('x'), digestOf('b'), digestOf('a')])).toEqual(expected)
          expect(await all(who)).toEqual([entryOf('a'), entryOf('b')])
        }
      })

      it('takes nothing, and the same again, in its stride', async () => {
        await catalog.record([])
        await catalog.record([entryOf('a'), entryOf('a')])
        await catalog.record([entryOf('a')])
        expect(await all()).toEqual([entryOf('a')])
        expect(await catalog.claim([])).toEqual([])
        await catalog.release([])
      })

      together('keeps the first key of a content that two have stored', async () => {
        await catalog.record([entryOf('a')])
        await connect({ holder: 'other' }).record([entryOf('a', { key: 'copy.jpg' })])
        expect(await catalog.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), 'a.jpg']]))
        expect(await all()).toEqual([entryOf('a')])
      })

      it('keeps the first content of a key that two have recorded', async () => {
        await catalog.record([entryOf('a')])
        await catalog.record([entryOf('b', { key: 'a.jpg' })])
        expect(await all()).toEqual([entryOf('a')])
      })

      it('gives entries back as they were, whatever is in them', async () => {
        const text = fc.string({ unit: 'binary', maxLength: 40 })
        const name = fc.oneof(text, fc.constantFrom('a\udcff\udc80.jpg', '\udc80', 'a\n"b\\', 'é\u0000', '…/../x'))
        const modifiedMs = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 })
        const fields = { name, kind: text, takenAt: text, camera: text, modifiedMs, sidecar: fc.boolean() }
        const records = fc.array(fc.record(fields, { requiredKeys: ['name', 'kind', 'sidecar'] }), { maxLength: 50 })
        let run = 0
        await fc.assert(
          fc.asyncProperty(records, async (given) => {
            const entries = given.map((more) => entryOf(`${1_000_000 + run++}`, more))
            await catalog.record(entries)
            expect((await all()).slice(run - entries.length)).toEqual(entries)
          }),
          { numRuns: 10 },
        )
      })

      it('takes batches of 1,000, and gives entries in the order of keys', async () => {
        const texts = Array.from({ length: 2500 }, (_, at) => `${(at * 7919) % 2500}`)
        for (let at = 0; at < texts.length; at += 1000) {
          await catalog.record(texts.slice(at, at + 1000).map((text) => entryOf(text)))
        }
        const digests = texts.slice(0, 1000).map(digestOf)
        expect((await catalog.known(digests)).size).toBe(1000)
        const keys = (await all()).map(({ key }) => key)
        expect(keys).toHaveLength(2500)
        expect(keys).toEqual(keys.toSorted())
      })

      it('lets entries be read while it changes', async () => {
        await catalog.record(Array.from({ length: 2100 }, (_, at) => entryOf(`${at + 1000}`)))
        const seen: string[] = []
        for await (const { key } of catalog.entries()) {
          if (seen.length === 10) await catalog.record([entryOf('9'), entryOf('0')])
          if (seen.length === 20) await catalog.forget(['3050.jpg'])
          seen.push(key)
        }
        expect(seen).toContain('9.jpg')
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen).toEqual(seen.toSorted())
        expect(seen.length).toBeGreaterThanOrEqual(2099)
      })
    })

    describe('resembling', () => {
      it('is certain of what it has never seen', async () => {
        if (!catalog.resembling) return
        await catalog.record([entryOf('a', { bytes: 10_000, head: '0123456789abcdef' }), entryOf('b')])
        const probes = [
          { bytes: 10_000, head: '0123456789abcdef' },
          { bytes: 10_001, head: '0123456789abcdef' },
          { bytes: 10_000, head: 'fedcba9876543210' },
        ]
        expect(await catalog.resembling(probes)).toEqual([true, false, false])
        await catalog.forget(['a.jpg'])
        expect(await catalog.resembling(probes)).toEqual([false, false, false])
      })
    })

    describe('sidecars', () => {
      const sidecar = (key: string): Claim => claimOf('same', { key, sidecar: true })

      it('may be the same under many keys, and are known under none', async () => {
        expect(await claim(sidecar('1.xmp'))).toEqual({ answer: 'granted' })
        expect(await claim(sidecar('2.xmp'))).toEqual({ answer: 'granted' })
        await catalog.record([
          entryOf('same', { key: '1.xmp', sidecar: true }),
          entryOf('same', { key: '2.xmp', sidecar: true }),
        ])
        expect(await claim(sidecar('3.xmp'))).toEqual({ answer: 'granted' })
        expect(await catalog.known([digestOf('same')])).toEqual(new Map())
        expect((await catalog.located([digestOf('same'), digestOf('x')])).get(digestOf('same'))).toMatch(/^[12]\.xmp$/)
        expect((await all()).map(({ key }) => key)).toEqual(['1.xmp', '2.xmp'])
      })

      together('have their keys to themselves', async () => {
        await claim(sidecar('1.xmp'))
        const other = connect({ holder: 'other' })
        expect(await claim(sidecar('1.xmp'), other)).toMatchObject({ answer: 'held' })
        expect(await claim(claimOf('b', { key: '1.xmp', sidecar: true }), other)).toEqual({ answer: 'key-taken' })
        await catalog.record([entryOf('same', { key: '1.xmp', sidecar: true })])
        expect(await claim(sidecar('1.xmp'), other)).toEqual({ answer: 'known', key: '1.xmp' })
        expect(await claim(claimOf('b', { key: '1.xmp', sidecar: true }), other)).toEqual({ answer: 'key-taken' })
      })

      together('are in no photo’s way, nor a photo in theirs', async () => {
        await claim(sidecar('1.xmp'))
        const other = connect({ holder: 'other' })
        expect(await claim(claimOf('same', { key: 'photo.jpg' }), other)).toEqual({ answer: 'granted' })
        expect(await claim(sidecar('2.xmp'))).toEqual({ answer: 'granted' })
        await catalog.record([entryOf('same', { key: '1.xmp', sidecar: true })])
        await other.record([entryOf('same', { key: 'photo.jpg' })])
        expect(await catalog.known([digestOf('same')])).toEqual(new Map([[digestOf('same'), 'photo.jpg']]))
        expect(await catalog.located([digestOf('same')])).toEqual(new Map([[digestOf('same'), 'photo.jpg']]))
      })
    })

    describe('claim', () => {
      together('is granted once for a content, and once for a key', async () => {
        const other = connect({ holder: 'other' })
        expect(await claim(claimOf('a'))).toEqual({ answer: 'granted' })
        const held = { answer: 'held', untilMs: expect.any(Number) as number, own: false }
        expect(await claim(claimOf('a'), other)).toEqual(held)
        expect(await claim(claimOf('a', { key: 'elsewhere.jpg' }), other)).toEqual(held)
        // by this run itself, for another file of the same content
        expect(await claim(claimOf('a', { key: 'twin.jpg' }))).toEqual({ ...held, own: true })
        expect(await claim(claimOf('b', { key: 'a.jpg' }), other)).toEqual({ answer: 'key-taken' })
        expect(await claim(claimOf('b'), other)).toEqual({ answer: 'granted' })
      })

      it('answers each wish of a batch, in its order, as if they came one by one', async () => {
        await catalog.record([entryOf('old')])
        const answers = await catalog.claim([
          claimOf('a'),
          claimOf('old', { key: 'new.jpg' }),
          claimOf('a', { key: 'a-2.jpg' }),
          claimOf('b', { key: 'a.jpg' }),
          claimOf('c', { key: 'old.jpg' }),
          claimOf('d'),
        ])
        expect(answers.map(({ answer }) => answer)).toEqual([
          'granted',
          'known',
          'held',
          'key-taken',
          'key-taken',
          'granted',
        ])
        expect(answers[1]).toEqual({ answer: 'known', key: 'old.jpg' })
      })

      it('grants 1,000 wishes of a batch', async () => {
        const texts = Array.from({ length: 1000 }, (_, at) => `${at}`)
        const answers = await catalog.claim(texts.map((text) => claimOf(text)))
        expect(new Set(answers.map(({ answer }) => answer))).toEqual(new Set(['granted']))
        await catalog.record(texts.map((text) => entryOf(text)))
        const again = await catalog.claim(texts.map((text) => claimOf(text)))
        expect(new Set(again.map(({ answer }) => answer))).toEqual(new Set(['known']))
      })

      together('ends with the record: from then on the content is known', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        await catalog.record([entryOf('a')])
        expect(await claim(claimOf('a', { key: 'x.jpg' }), other)).toEqual({ answer: 'known', key: 'a.jpg' })
        await other.forget(['a.jpg'])
        expect(await claim(claimOf('a'), other)).toEqual({ answer: 'granted' })
      })

      together('ends with its release, which frees nothing of another holder', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        await other.release([claimOf('a')])
        expect(await claim(claimOf('a'), other)).toMatchObject({ answer: 'held' })
        await catalog.release([claimOf('a', { digest: digestOf('b') })])
        expect(await claim(claimOf('a'), other)).toMatchObject({ answer: 'held' })
        await catalog.release([claimOf('a')])
        expect(await claim(claimOf('a'), other)).toEqual({ answer: 'granted' })
      })

      together('survives the connection that made it', async () => {
        const brief = place.open({ holder: 'brief' })
        await brief.claim([claimOf('a')])
        await brief.close()
        expect(await claim(claimOf('a'))).toMatchObject({ answer: 'held' })
      })

      together('is the content’s to take once its lease ran out, and not before', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        const held = await claim(claimOf('a'), other)
        if (held.answer !== 'held') throw new Error('held')
        expect(held.untilMs).toBeGreaterThan(clock.nowMs)
        clock.nowMs = held.untilMs - 1
        expect(await claim(claimOf('a'), other)).toEqual(held)
        clock.nowMs = held.untilMs
        expect(await claim(claimOf('a'), other)).toEqual({ answer: 'granted' })
      })

      together('is kept by renewing it', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        const first = await claim(claimOf('a'), other)
        if (first.answer !== 'held') throw new Error('held')
        clock.nowMs = first.untilMs - 1
        await catalog.renew()
        clock.nowMs = first.untilMs + 1
        const second = await claim(claimOf('a'), other)
        expect(second).toMatchObject({ answer: 'held' })
        expect(second.answer === 'held' && second.untilMs > first.untilMs).toBe(true)
        await other.renew()
        clock.nowMs += aLongWhileMs
        expect(await claim(claimOf('a'), other)).toEqual({ answer: 'granted' })
      })

      together('never gives a key to another content, however long ago its lease ran out', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        clock.nowMs += aLongWhileMs
        expect(await claim(claimOf('b', { key: 'a.jpg' }), other)).toEqual({ answer: 'key-taken' })
        // not even once the content itself went elsewhere: the first holder may still publish
        expect(await claim(claimOf('a', { key: 'a-2.jpg' }), other)).toEqual({ answer: 'granted' })
        await other.record([entryOf('a', { key: 'a-2.jpg' })])
        expect(await claim(claimOf('b', { key: 'a.jpg' }), other)).toEqual({ answer: 'key-taken' })
        await catalog.release([claimOf('a')])
        expect(await claim(claimOf('b', { key: 'a.jpg' }), other)).toEqual({ answer: 'granted' })
      })

      alive('is freed at once when its holder is known to be dead', async () => {
        const living = new Set(['me', 'living'])
        const other = connect({ holder: 'other', holderAlive: (holder) => living.has(holder) })
        const dead = connect({ holder: 'dead' })
        await dead.claim([claimOf('a'), claimOf('b')])
        await connect({ holder: 'living' }).claim([claimOf('c')])
        expect(await claim(claimOf('x', { key: 'a.jpg' }), other)).toEqual({ answer: 'granted' })
        expect(await claim(claimOf('b'), other)).toEqual({ answer: 'granted' })
        expect(await claim(claimOf('c'), other)).toMatchObject({ answer: 'held' })
      })

      alive('is kept by a holder that lives, although it forgot to renew', async () => {
        const other = connect({ holder: 'other', holderAlive: () => true })
        await claim(claimOf('a'))
        clock.nowMs += aLongWhileMs
        expect(await claim(claimOf('a'), other)).toMatchObject({ answer: 'held' })
        expect(await claim(claimOf('b', { key: 'a.jpg' }), other)).toEqual({ answer: 'key-taken' })
      })

      together('bears a clock that goes backwards', async () => {
        const other = connect({ holder: 'other' })
        await claim(claimOf('a'))
        clock.nowMs -= aLongWhileMs
        expect(await claim(claimOf('a'), other)).toMatchObject({ answer: 'held' })
        await catalog.renew()
        expect(await claim(claimOf('b'), other)).toEqual({ answer: 'granted' })
      })
    })

    describe('identity and forget', () => {
      together('is the same in every connection, and for ever', async () => {
        const identity = await catalog.identity()
        expect(identity.id).toEqual(expect.any(String))
        expect(await catalog.identity()).toEqual(identity)
        await catalog.record([entryOf('a')])
        await claim(claimOf('b'))
        expect(await connect({ holder: 'other' }).identity()).toEqual(identity)
      })

      together('starts a new epoch, everywhere, with what it forgets', async () => {
        const other = connect({ holder: 'other' })
        await catalog.record([entryOf('a'), entryOf('b')])
        const before = await catalog.identity()
        await other.forget(['a.jpg', 'never-there.jpg'])
        const after = await catalog.identity()
        expect(after.id).toBe(before.id)
        expect(after.epoch).toBeGreaterThan(before.epoch)
        expect(await other.identity()).toEqual(after)
        expect(await catalog.known([digestOf('a'), digestOf('b')])).toEqual(new Map([[digestOf('b'), 'b.jpg']]))
        expect(await all()).toEqual([entryOf('b')])
      })

      it('stays in its epoch when there is nothing to forget', async () => {
        const before = await catalog.identity()
        await catalog.forget([])
        expect(await catalog.identity()).toEqual(before)
      })
    })

    if (alone) return
    describe('races', () => {
      it('two connections store each of 1,000 contents once', async () => {
        const users = [connect({ holder: 'one' }), connect({ holder: 'two' })]
        const texts = Array.from({ length: 1000 }, (_, at) => `${at}`)
        const stored: string[] = []
        await Promise.all(
          users.map(async (who, user) => {
            for (let at = 0; at < texts.length; at += 100) {
              const from = user === 0 ? at : texts.length - 100 - at
              const wants = texts.slice(from, from + 100)
              const answers = await who.claim(wants.map((text) => claimOf(text)))
              const granted = wants.filter((_, index) => answers[index]?.answer === 'granted')
              stored.push(...granted)
              await who.record(granted.map((text) => entryOf(text)))
            }
          }),
        )
        expect(stored.toSorted()).toEqual(texts.toSorted())
        expect(await all()).toHaveLength(1000)
      })

      it('processes that race for 1,000 contents store each once, and each under a key of its own', async () => {
        if (!place.elsewhere) return
        const entry = fileURLToPath(new URL('racer.ts', import.meta.url))
        const { kind, folder } = place.elsewhere
        const racers = await Promise.all(
          ['one', 'two', 'three'].map((holder) =>
            promisify(execFile)(process.execPath, [entry, kind, folder, holder, '1000']),
          ),
        )
        const stored = racers.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean))
        expect(stored).toHaveLength(1000)
        expect(new Set(stored.map((line) => line.split(' ')[0])).size).toBe(1000)
        expect(new Set(stored.map((line) => line.split(' ')[1])).size).toBe(1000)
        const entries = await all(connect({ holder: 'late' }))
        expect(entries.map(({ digest, key }) => `${digest} ${key}`).toSorted()).toEqual(stored.toSorted())
      })
    })
  })
}
