import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, type BigIntStats } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Destination } from '../src/client/destination.ts'
import { LuminaError } from '../src/errors.ts'
import { forgetful, hooked } from './contract/faults.ts'
import { watchFs } from './pipeline/fs-calls.ts'
import { isAccountedFor, jpeg, outcomesOf, World, xmp } from './pipeline/harness.ts'

/*
 * The laws of the project, by number: what each says at its plainest, and where it is held under faults, kills and properties.
 */

const large = 600_000
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A card as it comes: pairs, sidecars, twins, lies, words, nothing. */
function card(): World {
  const world = new World()
  world.write('DCIM/IMG_1.jpg', jpeg(1))
  world.write('DCIM/IMG_1.xmp', xmp('1'))
  world.write('DCIM/IMG_2.txt', jpeg(2))
  world.write('DCIM/twin.jpg', jpeg(1))
  world.write('DCIM/BIG.jpg', jpeg(3, large))
  world.write('DCIM/words.jpg', 'these are words')
  world.write('DCIM/empty.jpg', '')
  return world
}

describe('law 1: found = uploaded + skipped + failed', () => {
  it('each asset has one outcome, and its reason', async () => {
    const world = card()
    const destination = hooked(world.destination, {
      before: (name) => {
        if (name === 'finish') throw new LuminaError('io', 'No.')
      },
    })
    const ran = await world.run({ destination })
    expect(isAccountedFor(ran)).toBe(true)
    expect(outcomesOf(ran, world.source)).toEqual({
      'DCIM/BIG.jpg': 'failed io',
      'DCIM/IMG_1.jpg': 'uploaded DCIM/IMG_1.jpg',
      'DCIM/IMG_1.xmp': 'uploaded DCIM/IMG_1.xmp',
      'DCIM/IMG_2.txt': 'uploaded DCIM/IMG_2.txt',
      'DCIM/empty.jpg': 'skipped empty',
      'DCIM/twin.jpg': 'skipped already-there',
      'DCIM/words.jpg': 'skipped not-a-photo',
    })
  })
})

describe('law 2: nothing half is ever visible', () => {
  it('not at any call of a transfer that is torn', async () => {
    const world = card()
    const whole = new Set([jpeg(1), jpeg(2), jpeg(3, large), Buffer.from(xmp('1'))].map(sha256))
    let looks = 0
    const look = (): void => {
      looks++
      for (const bytes of world.destination.objects.values()) expect(whole).toContain(sha256(bytes))
    }
    const { resumable } = world.destination
    const torn: Destination = {
      ...world.destination,
      ...(resumable && {
        resumable: {
          ...resumable,
          append: async (token, source, offset, ctx) => {
            const half = { ...source, bytes: large / 2, read: source.read.bind(source) }
            await resumable.append(token, half, offset, ctx)
            throw new LuminaError('io', 'Torn.')
          },
        },
      }),
    }
    await world.run({ destination: hooked(torn, { before: look, after: look }) })
    const ran = await world.run({ destination: hooked(world.destination, { before: look, after: look }) })
    expect(ran.ended).toBeUndefined()
    expect(looks).toBeGreaterThan(10)
    expect(world.keys).toHaveLength(4)
  })
})

describe('law 3: nothing is overwritten', () => {
  it('whatever lies at the destination stays, and everything is stored beside it', async () => {
    const key = fc.constantFrom('a.jpg', 'a-2.jpg', 'a-3.jpg', 'b.jpg', 'b-2.jpg', 'a.xmp')
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key), async (taken) => {
        const world = new World()
        for (const [at, name] of taken.entries()) world.destination.objects.set(name, jpeg(50 + at))
        world.write('a.jpg', jpeg(1))
        world.write('a.xmp', xmp('a'))
        world.write('b.jpg', jpeg(2))
        expect(await world.run()).toMatchObject({ uploaded: 3 })
        for (const [at, name] of taken.entries()) {
          expect(sha256(world.destination.objects.get(name) as Uint8Array)).toBe(sha256(jpeg(50 + at)))
        }
        expect(world.keys).toHaveLength(taken.length + 3)
      }),
      { numRuns: 25 },
    )
  })
})

describe('law 4: once each', () => {
  it('a content is stored once, wherever it lies and whatever it is called', async () => {
    const file = fc.record({
      seed: fc.integer({ min: 1, max: 5 }),
      folder: fc.nat(2),
      name: fc.constantFrom('x.jpg', 'y.JPG', 'z'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 12 }), fc.integer({ min: 1, max: 2 }), async (files, lanes) => {
        const world = new World()
        const written = new Map(files.map(({ seed, folder, name }) => [`${folder}/${name}`, seed]))
        for (const [path, seed] of written) world.write(path, jpeg(seed))
        const distinct = new Set(written.values()).size
        expect(await world.run({ lanes })).toMatchObject({ uploaded: distinct, skipped: written.size - distinct })
        expect(world.keys).toHaveLength(distinct)
        expect(await world.run({ lanes })).toMatchObject({ uploaded: 0 })
      }),
      { numRuns: 25 },
    )
  })
})

describe('law 5: a rerun costs a stat a file', () => {
  it('and opens none of them', async () => {
    const world = card()
    await world.run()
    const calls = watchFs(world.source)
    expect(await world.run()).toMatchObject({ uploaded: 0, failed: 0 })
    expect(calls.opened).toEqual([])
  })

  it('but the ledger never outvotes the destination', async () => {
    const world = card()
    await world.run()
    const catalog = world.catalog()
    await catalog.forget(['DCIM/IMG_1.jpg'])
    await catalog.close()
    world.destination.objects.delete('DCIM/IMG_1.jpg')
    expect(await world.run()).toMatchObject({ uploaded: 1, failed: 0 })
    expect(world.keys).toContain('DCIM/IMG_1.jpg')
  })
})

describe('law 7: memory does not grow with the size of a file', () => {
  it('which is read in pieces of one size', async () => {
    const world = new World()
    world.write('BIG.jpg', jpeg(1, 8_000_000))
    const calls = watchFs(world.source)
    expect(await world.run()).toMatchObject({ uploaded: 1 })
    expect(calls.largestReadBytes).toBeLessThanOrEqual(256 * 1024)
  })
})

describe('law 8: a file is what its bytes say', () => {
  it('a lying extension is told, and words are no photo', async () => {
    const world = card()
    const { events, tally } = await world.run()
    expect(outcomesOf({ events }, world.source)).toMatchObject({
      'DCIM/IMG_2.txt': 'uploaded DCIM/IMG_2.txt',
      'DCIM/words.jpg': 'skipped not-a-photo',
    })
    const [stored] = (await world.entries()).filter(({ key }) => key === 'DCIM/IMG_2.txt')
    expect(stored?.kind).toBe('image/jpeg')
    expect(tally.lyingExtensions).toBe(1)
    const lies = events.flatMap((event) => (event.event === 'found' && event.extensionClaims ? [event] : []))
    expect(lies).toMatchObject([{ path: join(world.source, 'DCIM/words.jpg'), extensionClaims: 'image/jpeg' }])
  })
})

describe('law 9: only what the destination confirmed counts as stored', () => {
  it('an answer that got lost is a failure, which the catalog does not have, and the next run adopts', async () => {
    const world = new World()
    world.write('IMG.jpg', jpeg(1))
    const lost = await world.run({ destination: forgetful(world.destination, 'put', 1) })
    expect(lost).toMatchObject({ uploaded: 0, failed: 1 })
    expect(await world.entries()).toEqual([])
    expect(await world.run()).toMatchObject({ uploaded: 0, skipped: 1 })
    expect(await world.entries()).toHaveLength(1)
    expect(world.keys).toEqual(['IMG.jpg'])
  })

  it('the catalog is told after the destination has it, never before', async () => {
    const world = card()
    let recorded = 0
    const ran = await world.run({
      around: (catalog) => ({
        ...catalog,
        record: async (entries) => {
          for (const { key, digest } of entries) {
            recorded++
            expect(sha256(world.destination.objects.get(key) as Uint8Array)).toBe(digest)
          }
          return catalog.record(entries)
        },
      }),
    })
    expect(ran.ended).toBeUndefined()
    expect(recorded).toBe(4)
  })
})

describe('law 10: the originals are only ever read', () => {
  const look = (folder: string): Record<string, unknown> => {
    const seen: Record<string, unknown> = {}
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const { ino, size, mtimeNs, ctimeNs, mode }: BigIntStats = lstatSync(join(folder, name), { bigint: true })
      seen[name] = { ino, size, mtimeNs, ctimeNs, mode }
    }
    return seen
  }

  it.each(['upload', 'verify', 'index'] as const)('by %s', async (task) => {
    const world = card()
    const before = look(world.source)
    await world.run({ options: { task, rehash: true } })
    await world.run({ options: { task, rehash: true } })
    expect(look(world.source)).toEqual(before)
    expect(Object.keys(before).length).toBeGreaterThan(5)
  })
})

describe('each law is held, in detail, where its faults are made', () => {
  const places: [law: number, file: string, title: string][] = [
    [1, 'pipeline/run.test.ts', 'accounts for every file, whenever and however it comes'],
    [1, 'pipeline/work.test.ts', 'every asset has one outcome, and the catalog holds only what is stored'],
    [2, 'pipeline/work.test.ts', 'at any moment leaves an account, nothing half, and what a rerun completes'],
    [2, 'contract/destination.ts', 'leaves nothing when the source fails otherwise than it should'],
    [2, 'e2e/kill.test.ts', 'a rerun ends with a whole library'],
    [3, 'contract/destination.ts', 'lets exactly one of many at one key win'],
    [3, 'pipeline/work.test.ts', 'lose neither of two contents that want one name'],
    [4, 'pipeline/work.test.ts', 'store each content once, whoever is first'],
    [5, 'pipeline/scan.test.ts', 'is found for names of any kind'],
    [6, 'pipeline/work.test.ts', 'go on where the destination says they stopped, after an interruption'],
    [6, 'pipeline/work.test.ts', 'begin anew when they have changed since'],
    [6, 'contract/destination.ts', 'goes on after cuts at any offset, in this process and in another'],
    [6, 'e2e/resume.test.ts', 'goes on in the file that it had begun'],
    [7, 'pipeline/run.test.ts', 'pauses while enough batches wait, so that memory does not grow with the tree'],
    [7, 'pipeline/sources.test.ts', 'goes in tasks of a size that a lane can hold'],
    [8, 'hash/sniff.test.ts', 'describe('],
    [9, 'client/drivers/local-faults.test.ts', 'stores nothing whose content could not be made durable'],
    [11, 'config.test.ts', 'is refused wherever it stands, and never echoed'],
    [11, 'config/secrets.test.ts', 'redact takes logins, tokens and the values of secret variables out of any text'],
    [12, 'pipeline/keys.test.ts', 'never leaves its prefix, whatever the segments are'],
    [12, 'pipeline/layout.test.ts', 'never leads out of the prefix, whatever the file says of itself'],
    [12, 'report/printable.test.ts', 'nothing that steers a terminal gets through'],
  ]

  it.each(places)('law %i: %s, “%s”', (_, file, title) => {
    expect(readFileSync(new URL(file, import.meta.url), 'utf8')).toContain(title)
  })

  it('and none is forgotten', () => {
    const here = readFileSync(new URL(import.meta.url), 'utf8').matchAll(/^describe\('law (\d+):/gm)
    const held = new Set([...places.map(([law]) => law), ...[...here].map(([, law]) => Number(law))])
    expect([...held].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })
})
