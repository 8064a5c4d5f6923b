import { createHash } from 'node:crypto'
import { appendFileSync, rmSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sqliteCatalog } from '../../src/client/catalogs/sqlite.ts'
import type { Catalog, Destination } from '../../src/client/destination.ts'
import { memoryDestination } from '../../src/client/drivers/memory.ts'
import { LuminaError } from '../../src/errors.ts'
import { replay } from '../../src/pipeline/replay.ts'
import type { Run } from '../../src/pipeline/run.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { hooked, type CallName } from '../contract/faults.ts'
import { watchFs } from './fs-calls.ts'
import { isAccountedFor, jpeg, outcomesOf, World, xmp } from './harness.ts'

const large = 600_000
/** What `inspect` reads of a file that the lane does not hold. */
const headBytes = 64 * 1024

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytesOf = (content: Uint8Array | string): Buffer => Buffer.from(content)

/** `inner` that says no to keys or transfers of one path, by `code`. */
function refusing(inner: Destination, refused: (key: string) => boolean, code: LuminaError['code']): Destination {
  return {
    ...inner,
    put: async (key, source, ctx) => {
      if (refused(key)) throw new LuminaError(code, `No ${key}.`)
      return inner.put(key, source, ctx)
    },
  }
}

/** A destination that must know the key first, so that each content is hashed before it is sent. */
function withoutResumable(inner: Destination): Destination {
  const { name, traits, stat, put, get } = inner
  return { name, traits, stat, put, ...(get && { get }) }
}

interface Counted {
  destination: Destination
  calls: CallName[]
  sentBytes: number
}

function counted(inner: Destination): Counted {
  const { resumable } = inner
  const count: Counted = { destination: inner, calls: [], sentBytes: 0 }
  count.destination = hooked(
    {
      ...inner,
      put: async (key, source, ctx) => {
        const stored = await inner.put(key, source, ctx)
        count.sentBytes += source.bytes
        return stored
      },
      ...(resumable && {
        resumable: {
          ...resumable,
          append: async (token, source, offset, ctx) => {
            const held = await resumable.append(token, source, offset, ctx)
            count.sentBytes += held - offset
            return held
          },
        },
      }),
    },
    { before: (name) => void count.calls.push(name) },
  )
  return count
}

/** Another destination for the same source and machine. */
class Elsewhere extends World {
  constructor({ source, state }: World) {
    super()
    Object.assign(this, { source, state })
  }

  override catalog(holder = 'me'): Catalog {
    return sqliteCatalog({ path: join(this.folder, 'catalog.db'), id: 'elsewhere', holder })
  }
}

describe('one asset’s failure', () => {
  it('is its own outcome: everything else is stored', async () => {
    const world = new World()
    for (let at = 1; at <= 5; at++) world.write(`IMG_${at}.jpg`, jpeg(at))
    const ran = await world.run({ destination: refusing(world.destination, (key) => key === 'IMG_3.jpg', 'io') })
    expect(isAccountedFor(ran)).toBe(true)
    expect(ran).toMatchObject({ found: 5, uploaded: 4, failed: 1 })
    expect(ran.ended).toBeUndefined()
    expect(ran.failures).toMatchObject([{ path: join(world.source, 'IMG_3.jpg'), code: 'io' }])
    expect(world.keys).toEqual(['IMG_1.jpg', 'IMG_2.jpg', 'IMG_4.jpg', 'IMG_5.jpg'])
    expect(await world.run()).toMatchObject({ found: 5, uploaded: 1, skipped: 4 })
  })

  it('stays its own when the destination can not say whether the names of its group are free', async () => {
    const world = new World()
    world.write('A.jpg', jpeg(1))
    world.write('A.xmp', xmp('a'))
    world.write('B.jpg', jpeg(2))
    const destination = hooked(world.destination, {
      before: (name) => {
        if (name === 'stat') throw new LuminaError('io', 'No answer.')
      },
    })
    const ran = await world.run({ destination })
    expect(outcomesOf(ran, world.source)).toEqual({
      'A.jpg': 'failed io',
      'A.xmp': 'failed io',
      'B.jpg': 'uploaded B.jpg',
    })
    expect(ran.ended).toBeUndefined()
  })

  it('stays its own when what was sent of it can not be let go', async () => {
    const world = new World()
    world.write('A.jpg', jpeg(1, large))
    world.write('B.jpg', jpeg(1, large))
    world.write('C.jpg', jpeg(2, large))
    const inner = world.destination
    const destination: Destination = {
      ...inner,
      ...(inner.resumable && {
        resumable: {
          ...inner.resumable,
          minBytes: large * 2,
          abort: async () => {
            throw new LuminaError('io', 'It will not go.')
          },
        },
      }),
    }
    const ran = await world.run({ destination })
    expect(isAccountedFor(ran)).toBe(true)
    expect(ran).toMatchObject({ uploaded: 2, skipped: 1, failed: 0 })
    expect(ran.ended).toBeUndefined()
  })

  it('that every asset would meet ends the run: the rest is told as interrupted, and a rerun sends it', async () => {
    const world = new World()
    for (let at = 1; at <= 300; at++) world.write(`IMG_${at}.jpg`, jpeg(at))
    let room = 10
    const full = hooked(world.destination, {
      before: (name) => {
        if (name === 'put' && room-- <= 0) throw new LuminaError('destination-full', 'No room.')
      },
    })
    const ran = await world.run({ destination: full })
    expect(isAccountedFor(ran)).toBe(true)
    expect(ran).toMatchObject({ found: 300, uploaded: 10, ended: 'error', error: { code: 'destination-full' } })
    expect(ran.tally.skipped).toEqual({ interrupted: 300 - 10 - ran.failed })
    expect(ran.failed).toBeGreaterThan(0)
    expect(world.keys).toHaveLength(10)
    expect(await world.run()).toMatchObject({ uploaded: 290, skipped: 10, failed: 0 })
  })
})

describe('a name that is taken at the destination', () => {
  it('is adopted where the content is the same, and nothing is sent', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.destination.objects.set('IMG_1.jpg', jpeg(1))
    const ran = await world.run()
    expect(outcomesOf(ran, world.source)).toEqual({ 'IMG_1.jpg': 'skipped already-there' })
    expect(await world.entries()).toMatchObject([{ key: 'IMG_1.jpg', digest: sha256(jpeg(1)) }])
  })

  it('is versioned where it is not, as often as it takes, and nothing is overwritten', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.write('BIG.jpg', jpeg(5, large))
    for (const key of ['IMG_1.jpg', 'IMG_1-2.jpg', 'BIG.jpg']) world.destination.objects.set(key, jpeg(9))
    const ran = await world.run()
    expect(outcomesOf(ran, world.source)).toEqual({
      'BIG.jpg': 'uploaded BIG-2.jpg',
      'IMG_1.jpg': 'uploaded IMG_1-3.jpg',
    })
    expect(Buffer.compare(world.destination.objects.get('IMG_1.jpg') as Uint8Array, jpeg(9))).toBe(0)
    expect(Buffer.compare(world.destination.objects.get('BIG-2.jpg') as Uint8Array, jpeg(5, large))).toBe(0)
  })

  it.each([
    ['skip', 'skipped collision'],
    ['fail', 'failed key-taken'],
  ] as const)('is left alone with --on-collision %s, by a pair too', async (onCollision, outcome) => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.write('IMG_2.jpg', jpeg(2))
    world.write('IMG_2.xmp', xmp('2'))
    world.write('IMG_3.jpg', jpeg(3, large))
    for (const key of ['IMG_1.jpg', 'IMG_2.jpg', 'IMG_3.jpg']) world.destination.objects.set(key, jpeg(9))
    const ran = await world.run({ options: { onCollision } })
    expect(isAccountedFor(ran)).toBe(true)
    const outcomes = outcomesOf(ran, world.source)
    expect(outcomes).toMatchObject({ 'IMG_1.jpg': outcome, 'IMG_2.jpg': outcome, 'IMG_3.jpg': outcome })
    expect(world.keys.filter((key) => key.includes('-2'))).toEqual([])
  })

  it('is asked for again with a counter that pairs share', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.write('IMG_1.CR2', Buffer.concat([Buffer.from('II*\0\x10\0\0\0CR\x02\0'), jpeg(2)]))
    world.write('IMG_1.xmp', xmp('1'))
    world.destination.objects.set('IMG_1.CR2', jpeg(9))
    await world.run()
    expect(world.keys).toEqual(['IMG_1-2.CR2', 'IMG_1-2.jpg', 'IMG_1-2.xmp', 'IMG_1.CR2'])
  })
})

describe('once each', () => {
  it('a content that lies twice in one batch is sent once', async () => {
    const world = new World()
    for (const name of ['A.jpg', 'B.jpg', 'C.jpg']) world.write(name, jpeg(1))
    const { destination, calls } = counted(world.destination)
    const ran = await world.run({ destination })
    expect(ran).toMatchObject({ found: 3, uploaded: 1, skipped: 2 })
    expect(calls.filter((call) => call === 'put')).toHaveLength(1)
    expect(world.keys).toEqual(['A.jpg'])
  })

  it('a twin is sent when the first could not be', async () => {
    const world = new World()
    for (const name of ['A.jpg', 'B.jpg']) world.write(name, jpeg(1))
    const ran = await world.run({ destination: refusing(world.destination, (key) => key === 'A.jpg', 'io') })
    expect(outcomesOf(ran, world.source)).toEqual({ 'A.jpg': 'failed io', 'B.jpg': 'uploaded B.jpg' })
  })

  it('lanes that meet one content in two batches send it once', async () => {
    const world = new World()
    for (let folder = 0; folder < 4; folder++) {
      for (let at = 0; at < 50; at++) world.write(`${folder}/IMG_${at}.jpg`, jpeg(at + 1))
    }
    const ran = await world.run({ lanes: 3 })
    expect(isAccountedFor(ran)).toBe(true)
    expect(ran).toMatchObject({ found: 200, uploaded: 50, skipped: 150, failed: 0 })
    expect(world.keys).toHaveLength(50)
  })

  it('a sidecar is exempt: it belongs to its photo', async () => {
    const world = new World()
    for (const folder of ['a', 'b']) {
      world.write(`${folder}/IMG.jpg`, jpeg(folder === 'a' ? 1 : 2))
      world.write(`${folder}/IMG.xmp`, xmp('the same'))
    }
    await world.run()
    expect(world.keys).toEqual(['a/IMG.jpg', 'a/IMG.xmp', 'b/IMG.jpg', 'b/IMG.xmp'])
    expect(await world.run()).toMatchObject({ uploaded: 0, skipped: 4 })
  })

  it('a content that moved is not sent again, and a lost ledger costs no upload', async () => {
    const world = new World()
    world.write('a/IMG_1.jpg', jpeg(1))
    world.write('a/IMG_2.jpg', jpeg(2, large))
    await world.run()
    rmSync(join(world.source, 'a'), { recursive: true })
    world.write('b/c/other.jpg', jpeg(1))
    world.write('b/c/big.jpg', jpeg(2, large))
    rmSync(world.state, { recursive: true })
    const { destination, sentBytes } = counted(world.destination)
    expect(await world.run({ destination })).toMatchObject({ found: 2, uploaded: 0, skipped: 2 })
    expect(sentBytes).toBe(0)
  })

  it('a rerun opens nothing', async () => {
    const world = new World()
    for (let at = 0; at < 10; at++) world.write(`IMG_${at}.jpg`, jpeg(at + 1))
    world.write('IMG_1.xmp', xmp('1'))
    world.write('notes.txt', 'not a photo')
    await world.run()
    const calls = watchFs(world.source)
    expect(await world.run()).toMatchObject({ found: 12, uploaded: 0, skipped: 12 })
    expect(calls.opened).toEqual([])
    expect(await world.run({ options: { rehash: true } })).toMatchObject({ uploaded: 0, skipped: 12 })
    expect(calls.opened.length).toBeGreaterThan(0)
  })
})

describe('two runs at once', () => {
  it('store each content once, whoever is first', async () => {
    const world = new World()
    for (let at = 0; at < 40; at++) world.write(`IMG_${at}.jpg`, jpeg(at + 1))
    world.write('BIG.jpg', jpeg(99, large))
    const slow = hooked(world.destination, { before: () => new Promise(setImmediate) })
    const runs = await Promise.all(['me', 'you'].map((holder) => world.run({ holder, destination: slow })))
    for (const ran of runs) {
      expect(isAccountedFor(ran)).toBe(true)
      expect(ran).toMatchObject({ found: 41, failed: 0 })
    }
    expect(runs.reduce((sum, { uploaded }) => sum + uploaded, 0)).toBe(41)
    expect(world.keys).toHaveLength(41)
    expect(await world.entries()).toHaveLength(41)
  })

  it('lose neither of two contents that want one name', async () => {
    const world = new World()
    for (let at = 0; at < 20; at++) {
      world.write(`mine/IMG_${at}.jpg`, jpeg(at + 1))
      world.write(`yours/IMG_${at}.jpg`, jpeg(at + 101))
    }
    const slow = hooked(world.destination, { before: () => new Promise(setImmediate) })
    const tasksOf = (folder: string) => [{ path: join(world.source, folder), dir: '', ignores: [] }]
    const runs = await Promise.all(
      ['mine', 'yours'].map((holder) => world.run({ holder, destination: slow, tasks: tasksOf(holder) })),
    )
    for (const ran of runs) expect(ran).toMatchObject({ found: 20, uploaded: 20 })
    const contents = [...world.destination.objects.values()].map(sha256)
    expect(new Set(contents).size).toBe(40)
    expect(world.keys.filter((key) => key.endsWith('-2.jpg'))).toHaveLength(20)
  })

  it('wait for what the other holds, until it is there', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    const digest = sha256(jpeg(1))
    const other = world.catalog('other')
    await other.claim([{ key: 'theirs.jpg', digest, sidecar: false }])
    let asked = 0
    const ran = await world.run({
      around: (catalog) => ({
        ...catalog,
        claim: async (wants) => {
          if (++asked === 3)
            await other.record([
              { key: 'theirs.jpg', digest, bytes: 64, kind: 'image/jpeg', sidecar: false, name: 'x' },
            ])
          return catalog.claim(wants)
        },
      }),
    })
    await other.close()
    expect(outcomesOf(ran, world.source)).toEqual({ 'IMG_1.jpg': 'skipped already-there' })
    expect(asked).toBe(3)
    expect(world.keys).toEqual([])
  })

  it('take what the other gave up', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    const claim = { key: 'theirs.jpg', digest: sha256(jpeg(1)), sidecar: false }
    const other = world.catalog('other')
    await other.claim([claim])
    let asked = 0
    const ran = await world.run({
      around: (catalog) => ({
        ...catalog,
        claim: async (wants) => {
          if (++asked === 2) await other.release([claim])
          return catalog.claim(wants)
        },
      }),
    })
    await other.close()
    expect(outcomesOf(ran, world.source)).toEqual({ 'IMG_1.jpg': 'uploaded IMG_1.jpg' })
  })

  it('fail as held what the other still holds when the run ends, and never skip it', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.write('IMG_2.jpg', jpeg(2))
    const other = world.catalog('other')
    await other.claim([{ key: 'theirs.jpg', digest: sha256(jpeg(1)), sidecar: false }])
    let run: Run | undefined
    let asked = 0
    const ran = await world.run({
      onRun: (made) => (run = made),
      around: (catalog) => ({
        ...catalog,
        claim: async (wants) => {
          if (++asked === 3) run?.stop('interrupted')
          return catalog.claim(wants)
        },
      }),
    })
    await other.close()
    expect(outcomesOf(ran, world.source)).toEqual({ 'IMG_1.jpg': 'failed held', 'IMG_2.jpg': 'uploaded IMG_2.jpg' })
    expect(ran.ended).toBe('interrupted')
  })

  it('tell as interrupted what was held once, was granted then, and was not finished', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    const claim = { key: 'theirs.jpg', digest: sha256(jpeg(1)), sidecar: false }
    const other = world.catalog('other')
    await other.claim([claim])
    let run: Run | undefined
    let asked = 0
    const destination = hooked(world.destination, {
      before: (name) => {
        if (name === 'put') run?.stop('interrupted')
      },
    })
    const ran = await world.run({
      destination,
      onRun: (made) => (run = made),
      around: (catalog) => ({
        ...catalog,
        claim: async (wants) => {
          if (++asked === 2) await other.release([claim])
          return catalog.claim(wants)
        },
      }),
    })
    await other.close()
    expect(outcomesOf(ran, world.source)).toEqual({ 'IMG_1.jpg': 'skipped interrupted' })
  })
})

describe('large files', () => {
  it('are read once when nothing like them is known', async () => {
    const world = new World()
    world.write('BIG.jpg', jpeg(1, large))
    const calls = watchFs(world.source)
    const count = counted(world.destination)
    expect(await world.run({ destination: count.destination })).toMatchObject({ uploaded: 1 })
    expect(calls.readBytes).toBe(headBytes + large)
    expect(count.sentBytes).toBe(large)
  })

  it('are hashed first when something like them is known, and not sent when they are', async () => {
    const world = new World()
    world.write('BIG.jpg', jpeg(1, large))
    await world.run()
    world.write('copy/BIG.jpg', jpeg(1, large))
    // the same beginning and size, and another end
    const alike = jpeg(1, large)
    alike[large - 1] = (alike[large - 1] as number) ^ 1
    world.write('alike/BIG.jpg', alike)
    const calls = watchFs(world.source)
    const count = counted(world.destination)
    const ran = await world.run({ destination: count.destination })
    expect(outcomesOf(ran, world.source)).toEqual({
      'BIG.jpg': 'skipped already-there',
      'alike/BIG.jpg': 'uploaded alike/BIG.jpg',
      'copy/BIG.jpg': 'skipped already-there',
    })
    expect(count.sentBytes).toBe(large)
    expect(calls.readBytes).toBe(2 * (headBytes + large) + large)
  })

  it('twins in one run are sent twice at most and stored once', async () => {
    const world = new World()
    for (const name of ['A.jpg', 'B.jpg']) world.write(name, jpeg(1, large))
    expect(await world.run()).toMatchObject({ uploaded: 1, skipped: 1 })
    expect(world.keys).toHaveLength(1)
  })

  it('go on where the destination says they stopped, after an interruption', async () => {
    const world = new World()
    world.write('BIG.jpg', jpeg(1, large))
    await interruptedInAppend(world)
    const count = counted(world.destination)
    const ran = await world.run({ destination: count.destination })
    expect(ran).toMatchObject({ uploaded: 1 })
    expect(count.calls).not.toContain('begin')
    expect(count.sentBytes).toBeLessThan(large)
    expect(Buffer.compare(world.destination.objects.get('BIG.jpg') as Uint8Array, jpeg(1, large))).toBe(0)
  })

  it('begin anew when they have changed since', async () => {
    const world = new World()
    world.write('BIG.jpg', jpeg(1, large))
    await interruptedInAppend(world)
    world.write('BIG.jpg', jpeg(2, large), 1_800_000_000_000)
    const count = counted(world.destination)
    expect(await world.run({ destination: count.destination })).toMatchObject({ uploaded: 1 })
    expect(count.sentBytes).toBe(large)
    expect(Buffer.compare(world.destination.objects.get('BIG.jpg') as Uint8Array, jpeg(2, large))).toBe(0)
  })
})

/** A run that is told to stop when half of the file is sent. */
async function interruptedInAppend(world: World): Promise<void> {
  let run: Run | undefined
  let checks = 0
  const { resumable } = world.destination
  const destination: Destination = {
    ...world.destination,
    ...(resumable && {
      resumable: {
        ...resumable,
        append: (token, source, offset, ctx) => {
          const checkpoint = (): void => {
            if (++checks === 5) run?.stop('interrupted')
            ctx.checkpoint()
          }
          return resumable.append(token, source, offset, { ...ctx, checkpoint })
        },
      },
    }),
  }
  const ran = await world.run({ destination, onRun: (made) => (run = made) })
  expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'skipped interrupted' })
  expect(world.keys).toEqual([])
}

describe('a file that changes while it is read', () => {
  /** Changes the file on the first `times` reads at which it would be sent or hashed. */
  const ways: [string, (inner: Destination) => Destination][] = [
    ['in one pass', (inner) => inner],
    ['hashed first', withoutResumable],
  ]
  const changing = (world: World, path: string, times: number, change: (time: number) => void): void => {
    let changed = 0
    let reads = 0
    watchFs(world.source, (read) => {
      if (read === path && ++reads % 4 === 0 && changed < times) change(++changed)
    })
  }

  it.each(ways)('is stored as it is in the end, %s', async (_, around) => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    changing(world, path, 1, () => writeFileSync(path, jpeg(2, large + 5)))
    const ran = await world.run({ destination: around(world.destination) })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'uploaded BIG.jpg' })
    expect(ran.tally.uploadedBytes).toBe(large + 5)
    expect(Buffer.compare(world.destination.objects.get('BIG.jpg') as Uint8Array, jpeg(2, large + 5))).toBe(0)
    expect(await world.entries()).toMatchObject([{ digest: sha256(jpeg(2, large + 5)), bytes: large + 5 }])
  })

  it.each(ways)('again and again fails, and nothing of it is visible, %s', async (_, around) => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    world.write('OTHER.jpg', jpeg(7))
    changing(world, path, 100, (time) => appendFileSync(path, String(time)))
    const ran = await world.run({ destination: around(world.destination) })
    expect(isAccountedFor(ran)).toBe(true)
    expect(outcomesOf(ran, world.source)).toEqual({
      'BIG.jpg': 'failed changed-while-reading',
      'OTHER.jpg': 'uploaded OTHER.jpg',
    })
    expect(world.keys).toEqual(['OTHER.jpg'])
  })

  it.each(ways)('is skipped as empty when nothing is left of it, %s', async (_, around) => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    changing(world, path, 1, () => truncateSync(path))
    const ran = await world.run({ destination: around(world.destination) })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'skipped empty' })
  })

  it.each(ways)('is what its bytes say then, %s', async (_, around) => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    changing(world, path, 1, () => writeFileSync(path, 'text '.repeat(large / 5)))
    const ran = await world.run({ destination: around(world.destination) })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'skipped not-a-photo' })
  })

  it.each(ways)('fails as vanished when it goes, %s', async (_, around) => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    changing(world, path, 1, () => {
      truncateSync(path)
      unlinkSync(path)
    })
    const ran = await world.run({ destination: around(world.destination) })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'failed vanished' })
    expect(world.keys).toEqual([])
  })

  it('after its digest was remembered is stored as it is now', async () => {
    const world = new World()
    const path = world.write('BIG.jpg', jpeg(1, large))
    await world.run({ destination: refusing(withoutResumable(world.destination), () => true, 'io') })
    let put = 0
    const destination = hooked(withoutResumable(world.destination), {
      before: (name) => {
        if (name === 'put' && put++ === 0) writeFileSync(path, jpeg(2, large))
      },
    })
    const ran = await world.run({ destination })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'uploaded BIG.jpg' })
    expect(await world.entries()).toMatchObject([{ digest: sha256(jpeg(2, large)) }])
  })

  it('counts as stored nowhere that only its former content went to', async () => {
    const world = new World()
    world.write('a.jpg', jpeg(1))
    const elsewhere = new Elsewhere(world)
    await world.run()
    await elsewhere.run({
      lane: (client) => ({
        ...client,
        async work(batch) {
          world.write('a.jpg', jpeg(2), 1_700_000_001_000)
          return client.work(batch)
        },
      }),
    })
    expect(elsewhere.destination.objects.get('a.jpg')).toEqual(jpeg(2))
    expect(await world.run()).toMatchObject({ found: 1, uploaded: 1 })
  })
})

describe('what does not go up', () => {
  it('is named with its reason', async () => {
    const world = new World()
    world.write('notes.txt', 'words')
    world.write('empty.jpg', '')
    world.write('lone.xmp', xmp('no photo'))
    world.write('IMG.jpg', jpeg(1))
    expect(outcomesOf(await world.run(), world.source)).toEqual({
      'IMG.jpg': 'uploaded IMG.jpg',
      'empty.jpg': 'skipped empty',
      'lone.xmp': 'skipped not-a-photo',
      'notes.txt': 'skipped not-a-photo',
    })
    expect(outcomesOf(await world.run({ options: { allFiles: true } }), world.source)).toEqual({
      'IMG.jpg': 'skipped already-there',
      'empty.jpg': 'skipped empty',
      'lone.xmp': 'uploaded lone.xmp',
      'notes.txt': 'uploaded notes.txt',
    })
  })

  it('is told as a lie where an extension claims another kind, whoever its neighbours are', async () => {
    const world = new World()
    world.write('A_G', jpeg(1))
    world.write('B.PNG', jpeg(2))
    world.write('C.PNG', jpeg(3))
    world.write('D.jpg', jpeg(4))
    const ran = await world.run()
    expect(ran.tally.lyingExtensions).toBe(2)
    const lies = ran.events.flatMap((event) => (event.event === 'found' && event.extensionClaims ? [event.path] : []))
    expect(lies.toSorted()).toEqual(['B.PNG', 'C.PNG'].map((name) => join(world.source, name)))
  })

  it.each([
    ['held', 200],
    ['large', large],
  ])('is too large for the destination, before a byte of it is sent: %s', async (_, bytes) => {
    const world = new World(memoryDestination({ maxObjectBytes: bytes - 1 }))
    world.write('BIG.jpg', jpeg(1, bytes))
    world.write('SMALL.jpg', jpeg(2, 100))
    const count = counted(world.destination)
    const ran = await world.run({ destination: count.destination })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'failed too-large', 'SMALL.jpg': 'uploaded SMALL.jpg' })
    expect(count.sentBytes).toBe(100)
  })
})

describe('many files at once', () => {
  it('are open a few at a time, however long a disk takes to flush them', async () => {
    const world = new World()
    for (let at = 0; at < 100; at++) world.write(`${at}.jpg`, jpeg(at))
    let open = 0
    let most = 0
    const destination: Destination = {
      ...withoutResumable(world.destination),
      put: async (key, source, ctx) => {
        most = Math.max(most, ++open)
        await setTimeout(1)
        open--
        return world.destination.put(key, source, ctx)
      },
    }
    expect(await world.run({ destination })).toMatchObject({ uploaded: 100, failed: 0 })
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(32)
  })
})

describe('a limit on what is sent', () => {
  it('ends the run before it is exceeded, and the next run goes on', async () => {
    const world = new World()
    for (let at = 0; at < 10; at++) world.write(`IMG_${at}.jpg`, jpeg(at + 1, 1000))
    const ran = await world.run({ maxTransferBytes: 4500 })
    expect(isAccountedFor(ran)).toBe(true)
    expect(ran).toMatchObject({ found: 10, uploaded: 4, failed: 0, ended: 'limit' })
    expect(ran.tally.skipped).toEqual({ limit: 6 })
    expect(await world.run({ maxTransferBytes: 4500 })).toMatchObject({ uploaded: 4 })
    expect(await world.run({ maxTransferBytes: 4500 })).toMatchObject({ uploaded: 2, skipped: 8 })
  })

  it('counts a content once, however many names it was refused', async () => {
    const world = new World()
    world.write('IMG.jpg', jpeg(1, 1000))
    for (const key of ['IMG.jpg', 'IMG-2.jpg', 'IMG-3.jpg']) world.destination.objects.set(key, jpeg(9))
    expect(await world.run({ maxTransferBytes: 1000 })).toMatchObject({ uploaded: 1 })
  })
})

describe('an interruption', () => {
  it('at any moment leaves an account, nothing half, and what a rerun completes', async () => {
    const contents = new Map<string, Buffer>([
      ['a/IMG_1.jpg', bytesOf(jpeg(1))],
      ['a/IMG_1.xmp', bytesOf(xmp('1'))],
      ['a/IMG_2.jpg', bytesOf(jpeg(2))],
      ['a/twin.jpg', bytesOf(jpeg(2))],
      ['b/BIG.jpg', bytesOf(jpeg(3, large))],
      ['b/IMG_1.jpg', bytesOf(jpeg(4))],
      ['b/notes.txt', bytesOf('words')],
    ])
    const stopsAt = async (moment: number): Promise<boolean> => {
      const world = new World()
      for (const [name, bytes] of contents) world.write(name, bytes)
      let run: Run | undefined
      let moments = 0
      const tick = (): void => {
        if (moments++ === moment) run?.stop('interrupted')
      }
      const inner = withTicks(world.destination, tick)
      const ran = await world.run({
        destination: inner,
        lanes: 2,
        onRun: (made) => (run = made),
        around: (catalog) => ({
          ...catalog,
          known: (digests) => (tick(), catalog.known(digests)),
          claim: (wants) => (tick(), catalog.claim(wants)),
          record: (entries) => (tick(), catalog.record(entries)),
        }),
        lane: (client) => ({
          ...client,
          scan: (tasks) => (tick(), client.scan(tasks)),
          work: (batch) => (tick(), client.work(batch)),
        }),
      })
      expect(isAccountedFor(ran)).toBe(true)
      for (const [key, bytes] of world.destination.objects) {
        const original = contents.get(key) ?? contents.get('a/IMG_2.jpg')
        expect(Buffer.compare(bytes, original as Buffer)).toBe(0)
      }
      for (const { key, digest } of await world.entries()) {
        expect(sha256(world.destination.objects.get(key) as Uint8Array)).toBe(digest)
      }
      const again = await world.run()
      expect(isAccountedFor(again)).toBe(true)
      expect(again).toMatchObject({ found: 7, failed: 0 })
      expect(again.ended).toBeUndefined()
      expect(world.keys).toHaveLength(5)
      expect(new Set([...world.destination.objects.values()].map(sha256)).size).toBe(5)
      expect(await world.entries()).toHaveLength(5)
      return moments > moment
    }
    let moment = 0
    while (await stopsAt(moment)) moment++
    expect(moment).toBeGreaterThan(30)
  })
})

/** Tells of each call, of each checkpoint within it, and of its end. */
function withTicks(inner: Destination, tick: () => void): Destination {
  const { resumable } = inner
  const told = <Ctx extends { checkpoint(): void }>(ctx: Ctx): Ctx => ({
    ...ctx,
    checkpoint: () => {
      tick()
      ctx.checkpoint()
    },
  })
  return hooked(
    {
      ...inner,
      put: (key, source, ctx) => inner.put(key, source, told(ctx)),
      ...(resumable && {
        resumable: {
          ...resumable,
          append: (token, source, offset, ctx) => resumable.append(token, source, offset, told(ctx)),
        },
      }),
    },
    { before: tick, after: tick },
  )
}

describe('whatever fails', () => {
  const names = ['a/1.jpg', 'a/1.xmp', 'a/2.jpg', 'a/twin.jpg', 'b/1.jpg', 'b/BIG.jpg', 'b/empty.jpg', 'b/notes.txt']
  const codes = [
    'io',
    'destination-full',
    'destination-unreachable',
    'key-taken',
    'changed-while-reading',
    'interrupted',
  ] as const

  it('every asset has one outcome, and the catalog holds only what is stored', async () => {
    const faults = fc.array(fc.record({ call: fc.nat(25), code: fc.constantFrom(...codes), after: fc.boolean() }), {
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(faults, fc.integer({ min: 1, max: 2 }), async (asked, lanes) => {
        const world = new World()
        for (const [at, name] of names.entries()) {
          const photo = name === 'b/BIG.jpg' ? jpeg(9, large) : jpeg(name === 'a/twin.jpg' ? 2 : at)
          world.write(
            name,
            name.endsWith('txt') ? 'words' : name.endsWith('xmp') ? xmp('1') : name.includes('empty') ? '' : photo,
          )
        }
        let calls = 0
        const fail = (after: boolean) => (): void => {
          const fault = asked.find((each) => each.call === calls && each.after === after)
          if (after) calls++
          if (fault) throw new LuminaError(fault.code, 'Injected.')
        }
        const ran = await world.run({
          lanes,
          destination: hooked(world.destination, { before: fail(false), after: fail(true) }),
        })
        expect(isAccountedFor(ran)).toBe(true)
        for (const { key, digest } of await world.entries()) {
          expect(sha256(world.destination.objects.get(key) as Uint8Array)).toBe(digest)
        }
        const again = await world.run()
        expect(again).toMatchObject({ found: 8, failed: 0 })
        expect(await world.entries()).toHaveLength(5)
      }),
      { numRuns: 30 },
    )
  })
})

it('a file is touched between two runs and costs a hash, not an upload', async () => {
  const world = new World()
  const path = world.write('IMG.jpg', jpeg(1))
  await world.run()
  utimesSync(path, 1_800_000_000, 1_800_000_000)
  expect(await world.run()).toMatchObject({ uploaded: 0, skipped: 1 })
})

describe('a transfer that is begun under its name', () => {
  const named = (): World => new World(memoryDestination({ keyAtBegin: true }))

  it('goes on under that name after an interruption', async () => {
    const world = named()
    world.write('BIG.jpg', jpeg(1, large))
    await interruptedInAppend(world)
    const { destination, ...count } = counted(world.destination)
    const ran = await world.run({ destination })
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'uploaded BIG.jpg' })
    expect(count.calls).not.toContain('begin')
  })

  it('begins again under another where its name has gone to another content meanwhile', async () => {
    const world = named()
    world.write('BIG.jpg', jpeg(1, large))
    await interruptedInAppend(world)
    const other = world.catalog('other')
    const digest = sha256(jpeg(2, large))
    await other.record([{ key: 'BIG.jpg', digest, bytes: large, kind: 'image/jpeg', sidecar: false, name: 'BIG.jpg' }])
    await other.close()
    world.destination.objects.set('BIG.jpg', jpeg(2, large))
    const ran = await world.run()
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'uploaded BIG-2.jpg' })
    expect(bytesOf(world.destination.objects.get('BIG-2.jpg') as Uint8Array)).toEqual(bytesOf(jpeg(1, large)))
  })

  it('is given up where its name turns out to be taken', async () => {
    const world = named()
    world.write('BIG.jpg', jpeg(1, large))
    world.destination.objects.set('BIG.jpg', jpeg(2, large))
    const ran = await world.run()
    expect(outcomesOf(ran, world.source)).toEqual({ 'BIG.jpg': 'uploaded BIG-2.jpg' })
    expect(bytesOf(world.destination.objects.get('BIG.jpg') as Uint8Array)).toEqual(bytesOf(jpeg(2, large)))
  })
})

describe('a taken key that may not be looked at', () => {
  it('fails its asset as unconfirmed where the key may be our own doing, and makes no second copy', async () => {
    const world = new World(memoryDestination({ atomicNoClobber: false }))
    world.write('a.jpg', jpeg(1))
    world.write('b.jpg', jpeg(2))
    const blind = refusing(world.destination, (key) => key === 'a.jpg', 'key-taken')
    const ran = await world.run({ destination: blind })
    expect(outcomesOf(ran, world.source)).toEqual({ 'a.jpg': 'failed unconfirmed', 'b.jpg': 'uploaded b.jpg' })
    expect(isAccountedFor(ran)).toBe(true)
  })
})

describe('a catalog that goes out of reach', () => {
  it('is told by the next run: what is stored by then counts, and the run ends', async () => {
    const world = new World()
    world.write('a.jpg', jpeg(1))
    const unreachable = new LuminaError('destination-unreachable', 'The catalog does not answer.', {
      retry: 'exhausted',
    })
    const ran = await world.run({ around: (own) => ({ ...own, record: async () => Promise.reject(unreachable) }) })
    expect(outcomesOf(ran, world.source)).toEqual({ 'a.jpg': 'uploaded a.jpg' })
    expect(ran.error?.code).toBe('destination-unreachable')
    const ledger = new Ledger(world.state)
    expect(ledger.unrecorded('memory://', 10)).toMatchObject([{ key: 'a.jpg', digest: sha256(jpeg(1)) }])
    expect(await world.entries()).toEqual([])
    const catalog = world.catalog()
    expect(await replay(ledger, 'memory://', catalog)).toBe(1)
    expect(await replay(ledger, 'memory://', catalog)).toBe(0)
    await catalog.close()
    ledger.close()
    // nothing is counted on that the catalog does not have
    const again = await world.run()
    expect(again.tally.skipped['already-there']).toBe(1)
    expect(await world.entries()).toHaveLength(1)
  })
})
