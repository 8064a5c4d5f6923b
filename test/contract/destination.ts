import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Destination, Key, Resumable, ResumeToken, Source } from '../../src/client/destination.ts'
import { LuminaError } from '../../src/errors.ts'
import { keyFrom } from '../../src/pipeline/keys.ts'
import { call, codeOf, failureOf, settled } from './calls.ts'
import { tearing } from './faults.ts'
import { collect, content, failingAt, type SourceOptions, sourceOf } from './sources.ts'

/** A destination to be tested, empty. */
export interface Subject {
  destination: Destination
  /** The same place as another process finds it, on another day; absent where it is gone with its process. */
  reopen?: () => Destination
  /** Names of everything that is half: nothing may be left of a call that failed. */
  halves: () => string[]
  /** Names of whatever appeared where no key may lead. */
  strays?: () => string[]
  keepsModifiedMs?: boolean
  dispose?: () => void | Promise<void>
}

/** What a driver may read in one go, and the borders on which it goes wrong. */
const chunkBytes = 256 * 1024
const sizes = [0, 1, 4096, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes + 17]

const oddKeys: Key[] = [
  'plain.jpg',
  'with space/and, comma.jpg',
  'Ünïcödé/写真/😀.jpg',
  'e\u0301-nfd.jpg',
  'a.b/c..d/...e',
  '-starts-with-dash',
  'quote\'"`$(x).jpg',
  'per%20cent?and#hash&plus+.jpg',
  `${'a'.repeat(251)}.jpg`,
  `${'é'.repeat(125)}.jpeg`,
  'deep/'.repeat(40) + 'leaf.jpg',
]

/** The suite that every driver passes, bare and in its layers. */
export function testDestination(name: string, make: () => Subject | Promise<Subject>): void {
  describe(`destination: ${name}`, () => {
    let subject: Subject
    let destination: Destination
    beforeEach(async () => {
      subject = await make()
      destination = subject.destination
    })
    afterEach(async () => subject.dispose?.())

    const put = (key: Key, bytes: Uint8Array, options?: SourceOptions): ReturnType<Destination['put']> =>
      destination.put(key, sourceOf(bytes, options), call())
    const read = async (key: Key, from = 0, where = destination): Promise<Buffer> => {
      if (!where.get) throw new Error('These tests read back what they store.')
      return collect(where.get(key, from, call()))
    }
    const holds = async (key: Key, bytes: Uint8Array): Promise<void> => {
      expect((await read(key)).equals(bytes)).toBe(true)
      expect(await destination.stat(key, call())).toMatchObject({ key, bytes: bytes.length })
    }
    const holdsNothing = async (key: Key): Promise<void> => {
      expect(await destination.stat(key, call())).toBeUndefined()
      expect(subject.halves()).toEqual([])
    }

    describe('put', () => {
      it.each(sizes)('stores %i bytes as they are', async (bytes) => {
        const all = content(bytes)
        expect(await put('a/b.jpg', all)).toMatchObject({ key: 'a/b.jpg', bytes })
        await holds('a/b.jpg', all)
        expect(subject.halves()).toEqual([])
      })

      it.each([
        ['that takes its time', { slow: true }],
        ['that gives little at once', { pieceBytes: 1000 }],
        ['that gives little, slowly', { slow: true, pieceBytes: 70_001 }],
      ] satisfies [string, SourceOptions][])('takes a source %s', async (_, options) => {
        const all = content(chunkBytes + 5)
        await put('a.jpg', all, options)
        await holds('a.jpg', all)
      })

      it.each(oddKeys)('takes the key %s', async (odd) => {
        // as the pipeline names it: some services take fewer characters
        const key = keyFrom(odd.split('/'), destination.traits.keyRules)
        const all = content(100)
        await put(key, all)
        await holds(key, all)
      })

      it('tells progress as totals that never fall and end at the size', async () => {
        const ctx = call()
        await destination.put('a.jpg', sourceOf(content(3 * chunkBytes)), ctx)
        expect(ctx.sent.at(-1)).toBe(3 * chunkBytes)
        expect(ctx.sent).toEqual(ctx.sent.toSorted((a, b) => a - b))
      })

      it('never overwrites', async () => {
        const first = content(100, 1)
        await put('a.jpg', first)
        expect(await codeOf(put('a.jpg', content(100, 2)))).toBe('key-taken')
        expect(await codeOf(put('a.jpg', content(0)))).toBe('key-taken')
        await holds('a.jpg', first)
        expect(subject.halves()).toEqual([])
      })

      it.each([0, 1, chunkBytes + 1])('lets exactly one of many at one key win, with %i bytes', async (bytes) => {
        if (!destination.traits.atomicNoClobber) return
        const contents = Array.from({ length: 8 }, (_, seed) => content(bytes + seed, seed + 1))
        const results = await Promise.allSettled(
          contents.map((all) => put('a/b.jpg', all, { slow: true, pieceBytes: 90_000 })),
        )
        const won = results.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []))
        expect(won).toHaveLength(1)
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'key-taken' })
        }
        await holds('a/b.jpg', contents[won[0] as number] as Uint8Array)
        expect(subject.halves()).toEqual([])
      })

      it.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes])(
        'leaves nothing when the source fails at byte %i',
        async (offset) => {
          const broken = (): LuminaError => new LuminaError('unreadable', 'The card was pulled.')
          const source = failingAt(content(2 * chunkBytes + 1), offset, broken)
          const error = await failureOf(destination.put('a.jpg', source, call()))
          expect(error).toMatchObject({ code: 'unreadable', retry: 'never' })
          await holdsNothing('a.jpg')
        },
      )

      it('leaves nothing when the source fails otherwise than it should', async () => {
        const source = failingAt(content(chunkBytes), 10, () => new TypeError('A bug.'))
        await expect(destination.put('a.jpg', source, call())).rejects.toThrow(TypeError)
        await holdsNothing('a.jpg')
      })

      it.each([0, 1, chunkBytes, chunkBytes + 100])(
        'leaves nothing when the source ends early, at byte %i',
        async (endsAt) => {
          expect(await codeOf(put('a.jpg', content(chunkBytes + 101), { endsAt }))).toBe('changed-while-reading')
          await holdsNothing('a.jpg')
        },
      )

      it.each([0, chunkBytes, 2 * chunkBytes])('leaves nothing when the run is aborted at byte %i', async (offset) => {
        const ctx = call()
        const source = sourceOf(content(4 * chunkBytes), { before: { offset, act: () => ctx.abort() } })
        expect(await codeOf(destination.put('a.jpg', source, ctx))).toBe('interrupted')
        await holdsNothing('a.jpg')
      })

      it('stores all or nothing when the run is aborted at the last byte', async () => {
        const ctx = call()
        const all = content(chunkBytes + 1)
        const source = sourceOf(all, { before: { offset: chunkBytes, act: () => ctx.abort() } })
        if ((await settled(destination.put('a.jpg', source, ctx))) === 'fulfilled') await holds('a.jpg', all)
        else await holdsNothing('a.jpg')
      })

      it('starts nothing in a run that is over', async () => {
        const ctx = call()
        ctx.abort()
        expect(await codeOf(destination.put('a.jpg', sourceOf(content(10)), ctx))).toBe('interrupted')
        await holdsNothing('a.jpg')
      })

      it('stores the next one after a failure', async () => {
        const all = content(chunkBytes)
        await failureOf(put('a.jpg', all, { endsAt: 5 }))
        await put('a.jpg', all)
        await holds('a.jpg', all)
      })

      it('keeps the time of the source', async () => {
        if (!subject.keepsModifiedMs) return
        const modifiedMs = Date.UTC(2019, 6, 1, 12, 30, 15)
        await put('a.jpg', content(10), { modifiedMs })
        expect((await destination.stat('a.jpg', call()))?.modifiedMs).toBe(modifiedMs)
      })
    })

    describe('stat and get', () => {
      it('know nothing of a key that is not there', async () => {
        await put('a/b.jpg', content(10))
        for (const key of ['a/c.jpg', 'x', 'a/b.jpg/c', 'A/b.jpgx']) {
          expect(await destination.stat(key, call())).toBeUndefined()
          expect(await codeOf(read(key))).toBe('not-found')
        }
      })

      it.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes])(
        'reads from byte %i on',
        async (from) => {
          const all = content(2 * chunkBytes)
          await put('a.jpg', all)
          expect((await read('a.jpg', from)).equals(all.subarray(from))).toBe(true)
        },
      )

      it('lets a reader leave before the end, again and again', async () => {
        await put('a.jpg', content(4 * chunkBytes))
        for (let times = 0; times < 50; times++) {
          for await (const chunk of destination.get?.('a.jpg', 0, call()) ?? []) {
            expect(chunk.length).toBeGreaterThan(0)
            break
          }
        }
        expect((await read('a.jpg')).length).toBe(4 * chunkBytes)
      })
    })

    describe('list', () => {
      const keys = async (prefix: string): Promise<string[]> => {
        const found: string[] = []
        for await (const { key } of destination.list?.(prefix, call()) ?? []) found.push(key)
        return found.toSorted()
      }

      it('gives every object below a prefix, once, with its size', async () => {
        for (const key of ['a/1.jpg', 'a/b/2.jpg', 'ab/3.jpg', 'c.jpg']) await put(key, content(key.length))
        expect(await keys('')).toEqual(['a/1.jpg', 'a/b/2.jpg', 'ab/3.jpg', 'c.jpg'])
        expect(await keys('a/')).toEqual(['a/1.jpg', 'a/b/2.jpg'])
        expect(await keys('a/b')).toEqual(['a/b/2.jpg'])
        expect(await keys('x')).toEqual([])
        for await (const { key, bytes } of destination.list?.('', call()) ?? []) expect(bytes).toBe(key.length)
      })

      it('shows nothing of what is under way or was given up', async () => {
        const { resumable } = destination
        await failureOf(put('a.jpg', content(chunkBytes), { endsAt: 5 }))
        const all = content(chunkBytes)
        const token = await resumable?.begin('b.jpg', sourceOf(all), call())
        // where a transfer has its name from the start, its last byte publishes it
        const sent = destination.traits.keyAtFinish
          ? sourceOf(all)
          : failingAt(all, chunkBytes - 1, () => new LuminaError('io', 'Cut.'))
        if (token) await settled(resumable?.append(token, sent, 0, call()))
        expect(await keys('')).toEqual([])
      })

      it('lets its reader ask something else for each item', async () => {
        for (const key of ['a', 'b', 'c']) await put(key, content(3))
        for await (const { key } of destination.list?.('', call()) ?? []) {
          expect(await destination.stat(key, call())).toMatchObject({ bytes: 3 })
        }
      })
    })

    describe('move and remove', () => {
      it('move takes the content along, and never over another', async () => {
        const all = content(chunkBytes + 1)
        await put('a.jpg', all)
        await destination.move?.('a.jpg', 'x/y/b.jpg', call())
        await holds('x/y/b.jpg', all)
        expect(await destination.stat('a.jpg', call())).toBeUndefined()

        await put('a.jpg', content(5))
        expect(await codeOf(destination.move?.('a.jpg', 'x/y/b.jpg', call()))).toBe('key-taken')
        await holds('x/y/b.jpg', all)
        await holds('a.jpg', content(5))
      })

      it('move fails for what is not there', async () => {
        expect(await codeOf(destination.move?.('nothing.jpg', 'b.jpg', call()))).toBe('not-found')
      })

      it('remove makes room for another, and minds nothing that is gone', async () => {
        await put('a.jpg', content(5))
        await destination.remove?.('a.jpg', call())
        await destination.remove?.('a.jpg', call())
        await holdsNothing('a.jpg')
        await put('a.jpg', content(6))
        await holds('a.jpg', content(6))
      })
    })

    describe('resumable', () => {
      const use = (): Resumable => {
        if (!destination.resumable) throw new Error('These tests need a resumable destination.')
        return destination.resumable
      }
      const broken = (): LuminaError => new LuminaError('unreadable', 'The card was pulled.')
      const appendPart = async (token: ResumeToken, all: Uint8Array, offset: number, cutAt: number): Promise<void> => {
        await failureOf(use().append(token, failingAt(all, cutAt, broken), offset, call()))
      }

      it.each(sizes)('stores %i bytes as they are', async (bytes) => {
        const all = content(bytes)
        const source = sourceOf(all)
        const token = await use().begin('a/b.jpg', source, call())
        expect(await use().offset(token, source, call())).toBe(0)
        expect(await use().append(token, source, 0, call())).toBe(bytes)
        if (destination.traits.keyAtFinish) expect(await destination.stat('a/b.jpg', call())).toBeUndefined()
        expect(await use().finish(token, 'a/b.jpg', source, call())).toMatchObject({ key: 'a/b.jpg', bytes })
        await holds('a/b.jpg', all)
        expect(subject.halves()).toEqual([])
      })

      it('makes tokens of plain JSON', async () => {
        const token = await use().begin('a.jpg', sourceOf(content(10)), call())
        expect(JSON.parse(JSON.stringify(token))).toEqual(token)
      })

      it('goes on after cuts at any offset, in this process and in another', async () => {
        const most = 3 * chunkBytes
        let run = 0
        await fc.assert(
          fc.asyncProperty(
            fc.integer({ min: 1, max: most }),
            fc.array(fc.integer({ min: 0, max: most }), { maxLength: 5 }),
            async (bytes, cuts) => {
              const all = content(bytes, bytes)
              const key = `run-${run++}.jpg`
              const token = await use().begin(key, sourceOf(all), call())
              for (const cut of cuts) {
                const { resumable } = subject.reopen?.() ?? destination
                const offset = (await resumable?.offset(token, sourceOf(all), call())) as number
                expect(offset).toBeLessThanOrEqual(bytes)
                if (cut < bytes && offset < bytes) await appendPart(token, all, offset, Math.max(cut, offset))
              }
              const resumable = (subject.reopen?.() ?? destination).resumable as Resumable
              const offset = (await resumable.offset(token, sourceOf(all), call())) as number
              // what was durable before a cut is not sent again
              expect(offset).toBeGreaterThanOrEqual(
                Math.min(Math.max(0, ...cuts.filter((cut) => cut < bytes)), bytes) - chunkBytes,
              )
              if (offset < bytes) expect(await resumable.append(token, sourceOf(all), offset, call())).toBe(bytes)
              await resumable.finish(token, key, sourceOf(all), call())
              await holds(key, all)
            },
          ),
          { numRuns: 25 },
        )
        expect(subject.halves()).toEqual([])
      })

      it('stops at an abort, and keeps what it has', async () => {
        const ctx = call()
        const all = content(4 * chunkBytes)
        const source = sourceOf(all, { before: { offset: 2 * chunkBytes, act: () => ctx.abort() } })
        const token = await use().begin('a.jpg', source, ctx)
        expect(await codeOf(use().append(token, source, 0, ctx))).toBe('interrupted')
        const offset = (await use().offset(token, sourceOf(all), call())) as number
        expect(offset).toBeGreaterThanOrEqual(chunkBytes)
        expect(offset).toBeLessThan(4 * chunkBytes)
        expect(await destination.stat('a.jpg', call())).toBeUndefined()
      })

      it('never finishes what is not whole', async () => {
        const all = content(2 * chunkBytes)
        const token = await use().begin('a.jpg', sourceOf(all), call())
        await appendPart(token, all, 0, chunkBytes)
        await failureOf(use().finish(token, 'a.jpg', sourceOf(all), call()))
        expect(await destination.stat('a.jpg', call())).toBeUndefined()
      })

      it('makes no hole of bytes that start beyond what it holds', async () => {
        const all = content(2 * chunkBytes)
        const token = await use().begin('a.jpg', sourceOf(all), call())
        await appendPart(token, all, 0, 1000)
        // refused, or, by a layer that asks again, put right
        const appended = await settled(use().append(token, sourceOf(all), chunkBytes, call()))
        const finished = await settled(use().finish(token, 'a.jpg', sourceOf(all), call()))
        expect(finished).toBe(appended)
        if (finished === 'fulfilled') await holds('a.jpg', all)
        else expect(await destination.stat('a.jpg', call())).toBeUndefined()
      })

      it('counts no bytes that are not those of the source any more', async () => {
        // a service does not give back what it holds: there the source's own digest decides, before its last byte is sent
        if (!destination.traits.keyAtFinish) return
        const before = content(2 * chunkBytes)
        const token = await use().begin('a.jpg', sourceOf(before), call())
        await appendPart(token, before, 0, chunkBytes + 5000)
        const after = before.slice()
        after[chunkBytes + 3] = (after[chunkBytes + 3] as number) ^ 1
        const offset = (await use().offset(token, sourceOf(after), call())) as number
        expect(offset).toBeLessThanOrEqual(chunkBytes + 3)
        await use().append(token, sourceOf(after), offset, call())
        await use().finish(token, 'a.jpg', sourceOf(after), call())
        await holds('a.jpg', after)
      })

      it('holds no more than a source that has shrunk', async () => {
        if (!destination.traits.keyAtFinish) return
        const before = content(2 * chunkBytes)
        const token = await use().begin('a.jpg', sourceOf(before), call())
        await use().append(token, sourceOf(before), 0, call())
        const after = before.slice(0, 100)
        expect(await use().offset(token, sourceOf(after), call())).toBe(100)
        await use().finish(token, 'a.jpg', sourceOf(after), call())
        await holds('a.jpg', after)
      })

      it('leaves a transfer under a taken key to be finished under another', async () => {
        if (!destination.traits.keyAtFinish) return
        const theirs = content(10)
        const ours = content(chunkBytes)
        await put('a.jpg', theirs)
        const token = await use().begin('a.jpg', sourceOf(ours), call())
        await use().append(token, sourceOf(ours), 0, call())
        expect(await codeOf(use().finish(token, 'a.jpg', sourceOf(ours), call()))).toBe('key-taken')
        await holds('a.jpg', theirs)
        await use().finish(token, 'a-2.jpg', sourceOf(ours), call())
        await holds('a-2.jpg', ours)
        expect(subject.halves()).toEqual([])
      })

      it('lets exactly one of many transfers to one key finish there', async () => {
        if (!destination.traits.atomicNoClobber) return
        const contents = Array.from({ length: 5 }, (_, seed) => content(1000 + seed, seed + 1))
        const tokens = await Promise.all(
          contents.map(async (all) => {
            const token = await use().begin('a.jpg', sourceOf(all), call())
            await use().append(token, sourceOf(all), 0, call())
            return token
          }),
        )
        const results = await Promise.allSettled(
          tokens.map((token, at) => use().finish(token, 'a.jpg', sourceOf(contents[at] as Uint8Array), call())),
        )
        const won = results.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []))
        expect(won).toHaveLength(1)
        await holds('a.jpg', contents[won[0] as number] as Uint8Array)
      })

      it('keeps the time of the source', async () => {
        if (!subject.keepsModifiedMs) return
        const modifiedMs = Date.UTC(2001, 1, 2, 3, 4, 5)
        const source = sourceOf(content(10), { modifiedMs })
        const token = await use().begin('a.jpg', source, call())
        await use().append(token, source, 0, call())
        await use().finish(token, 'a.jpg', source, call())
        expect((await destination.stat('a.jpg', call()))?.modifiedMs).toBe(modifiedMs)
      })

      it('knows nothing of a transfer that was given up or finished', async () => {
        const source: Source = sourceOf(content(10))
        const abandoned = await use().begin('a.jpg', source, call())
        if (destination.traits.keyAtFinish) await use().append(abandoned, source, 0, call())
        await use().abort(abandoned, call())
        await use().abort(abandoned, call())
        const finished = await use().begin('b.jpg', source, call())
        await use().append(finished, source, 0, call())
        await use().finish(finished, 'b.jpg', source, call())
        for (const token of destination.traits.keyAtFinish ? [abandoned, finished] : [abandoned]) {
          expect(await use().offset(token, source, call())).toBeUndefined()
          expect(await codeOf(use().append(token, source, 0, call()))).toBe('not-found')
          expect(await codeOf(use().finish(token, 'c.jpg', source, call()))).toBe('not-found')
        }
        expect(subject.halves()).toEqual([])
      })

      it('is not led astray by a forged token', async () => {
        const source = sourceOf(content(10))
        const real = await use().begin('a.jpg', source, call())
        await put('there.jpg', content(3))
        const upwards = [1, 2, 3, 4].map((levels) => `${'../'.repeat(levels)}there.jpg`)
        const others = ['../x', '..', '.', '', '/etc/passwd', 'a/b', 'a\\b', 'there.jpg', '\0', 'x'.repeat(5000), 7]
        const values = [...upwards, ...others]
        for (const value of values) {
          const token = Object.fromEntries(Object.keys(real).map((field) => [field, value]))
          await expect(
            use()
              .offset(token, source, call())
              .catch(() => undefined),
          ).resolves.toBeUndefined()
          await expect(failureOf(use().append(token, source, 0, call()))).resolves.toBeInstanceOf(LuminaError)
          await expect(failureOf(use().finish(token, 'b.jpg', source, call()))).resolves.toBeInstanceOf(LuminaError)
          await use()
            .abort(token, call())
            .catch((error: unknown) => expect(error).toBeInstanceOf(LuminaError))
        }
        expect(subject.strays?.() ?? []).toEqual([])
        await holds('there.jpg', content(3))
        expect(await use().offset(real, source, call())).toBe(0)
      })

      it('survives torn transfers', async () => {
        const all = content(5 * chunkBytes)
        const source = sourceOf(all)
        const tears: (number | undefined)[] = [1, chunkBytes, 77_777, undefined]
        const torn = tearing(destination, () => tears.shift(), broken).resumable as Resumable
        const token = await torn.begin('a.jpg', source, call())
        for (let held = 0; held < all.length;) {
          const offset = (await torn.offset(token, source, call())) as number
          expect(offset).toBeGreaterThanOrEqual(held)
          held = await torn.append(token, source, offset, call()).catch(() => offset)
        }
        await torn.finish(token, 'a.jpg', source, call())
        await holds('a.jpg', all)
      })
    })
  })
}
