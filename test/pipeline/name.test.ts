import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KeyRules } from '../../src/client/destination.ts'
import { bytesOf } from '../../src/os-path.ts'
import { packGroups } from '../../src/pipeline/batch.ts'
import { itemsOf, type Item } from '../../src/pipeline/item.ts'
import { decodeSegment } from '../../src/pipeline/keys.ts'
import { parseLayout } from '../../src/pipeline/layout.ts'
import { baseKey, counterOf, nameGroup, namingOf, takenOf } from '../../src/pipeline/name.ts'
import { jpeg, outcomesOf, World, xmp } from './harness.ts'

const rules: KeyRules = { maxSegmentBytes: 255, maxKeyBytes: 1024 }
const isSidecar = (name: string): boolean => /\.(xmp|aae|wav|json)$/i.test(name)

function groupOf(...names: string[]): Item[] {
  const stamp = { bytes: 10, mtimeUs: Date.UTC(2020, 0, 2) * 1000, ctimeUs: 0, inode: 0 }
  const folder = { path: '/s/trip', dir: 'trip', ledgerPath: '/s/trip', stableInodes: true }
  const items = itemsOf({ folder, groups: packGroups([names.map((name) => ({ name, stamp }))]), files: 1, bytes: 1 })
  for (const [at, item] of items.entries()) {
    item.sidecar = isSidecar(item.member.name)
    item.digest = String(at).repeat(64).slice(0, 64)
  }
  return items
}

function keysOf(
  names: readonly string[],
  counter: number,
  layout = '{dir}/{name}{ext}',
  more: Partial<KeyRules> = {},
): string[] {
  const own = { ...rules, ...more }
  return [...nameGroup(groupOf(...names), counter, namingOf(parseLayout(layout), 'p', 'trip', own)).values()]
}

describe('nameGroup', () => {
  it.each([
    [
      ['IMG_1.CR2', 'IMG_1.jpg', 'IMG_1.xmp'],
      ['p/trip/IMG_1-2.CR2', 'p/trip/IMG_1-2.jpg', 'p/trip/IMG_1-2.xmp'],
    ],
    [
      ['IMG_1.jpg', 'IMG_1.jpg.xmp'],
      ['p/trip/IMG_1-2.jpg', 'p/trip/IMG_1-2.jpg.xmp'],
    ],
    [
      ['IMG_1.jpg', 'img_1.XMP'],
      ['p/trip/IMG_1-2.jpg', 'p/trip/IMG_1-2.XMP'],
    ],
    [
      ['IMG_0001.JPG', 'SND_0001.WAV'],
      ['p/trip/IMG_0001-2.JPG', 'p/trip/SND_0001-2.WAV'],
    ],
    [
      ['a:b.jpg', 'a:b.jpg.xmp'],
      ['p/trip/a%3Ab-2.jpg', 'p/trip/a%3Ab-2.jpg.xmp'],
    ],
    [
      ['IMG_1', 'IMG_1.xmp'],
      ['p/trip/IMG_1-2', 'p/trip/IMG_1-2.xmp'],
    ],
  ])('gives %j one counter', (names, expected) => {
    expect(keysOf(names, 2)).toEqual(expected)
  })

  it('names a sidecar after its photo, whatever the layout calls that', () => {
    const [photo, byStem, whole] = keysOf(['IMG_1.jpg', 'IMG_1.xmp', 'IMG_1.jpg.xmp'], 1, '{taken:yyyy}/{digest}{ext}')
    expect(photo).toBe(`p/2020/${'0'.repeat(64)}.jpg`)
    expect(byStem).toBe(`p/2020/${'0'.repeat(64)}.xmp`)
    expect(whole).toBe(`p/2020/${'0'.repeat(64)}.jpg.xmp`)
  })

  it('keeps one UUID for a pair', () => {
    const [raw, photo] = keysOf(['IMG_1.CR2', 'IMG_1.jpg'], 1, '{uuid}{ext}')
    expect(raw?.replace('.CR2', '')).toBe(photo?.replace('.jpg', ''))
  })

  it('never gives one key to two of a group, and none that is too long', () => {
    const name = fc.constantFrom(
      'IMG_1.jpg',
      'IMG_1.JPG',
      'IMG_1-edited.jpg',
      'IMG_E0001.jpg',
      'IMG_1.CR2',
      'IMG_1',
      'IMG_1.xmp',
      'img_1.xmp',
      'IMG_1.XMP',
      'IMG_1.jpg.xmp',
      `${':'.repeat(120)}.jpg`,
      `${':'.repeat(120)}.jpg.xmp`,
      `${':'.repeat(120)}.xmp`,
      'SND_1.wav',
    )
    const layout = fc.constantFrom(
      '{dir}/{name}{ext}',
      '{uuid}',
      '{uuid}{ext}',
      '{taken:yyyy}/{name}',
      '{digest}{ext}',
      '{name}',
    )
    const asked = fc.tuple(
      fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
      layout,
      fc.integer({ min: 1, max: 300 }),
    )
    fc.assert(
      fc.property(asked, ([names, layout, counter]) => {
        const keys = keysOf(names, counter, layout)
        expect(new Set(keys).size).toBe(names.length)
        for (const key of keys) {
          expect(key.startsWith('p/')).toBe(true)
          for (const segment of key.split('/')) expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('counterOf', () => {
  it('finds the counter that a key was given, and 1 for what is no such key', () => {
    const stem = fc.constantFrom('IMG_1', 'IMG-2', 'a-1-2', 'x'.repeat(252), '-', 'a.b')
    const ext = fc.constantFrom('.jpg', '', '.JPEG')
    fc.assert(
      fc.property(stem, ext, fc.integer({ min: 1, max: 5000 }), (stem, ext, counter) => {
        const item = groupOf(stem + ext)[0] as Item
        const naming = namingOf(parseLayout('{dir}/{name}{ext}'), '', '', rules)
        const [key] = nameGroup([item], counter, naming).values()
        expect(counterOf(key as string, baseKey(item, naming), rules)).toBe(counter)
      }),
    )
    expect(counterOf('elsewhere/OTHER-7.jpg', 'trip/IMG_1.jpg', rules)).toBe(1)
  })
})

describe('digits in names', () => {
  const naming = (layout = '{dir}/{name}{ext}', more: Partial<KeyRules> = {}) =>
    namingOf(parseLayout(layout), 'p', 'trip', { ...rules, ...more }, true)
  const named = (group: Item[], counter = 1, own = naming()): string[] => [...nameGroup(group, counter, own).values()]
  const withDigests = (names: readonly string[], digests: readonly string[]): Item[] => {
    const group = groupOf(...names)
    for (const [at, item] of group.entries()) item.digest = digests[at]
    return group
  }
  const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]
  const [mA, mB, mC] = [`-${'a'.repeat(12)}`, `-${'b'.repeat(12)}`, `-${'c'.repeat(12)}`]

  it.each([
    [['IMG_1.jpg'], [a], 1, [`IMG_1${mA}.jpg`]],
    [['IMG_1.jpg'], [a], 3, [`IMG_1${mA}-3.jpg`]],
    [['IMG_1'], [a], 1, [`IMG_1${mA}`]],
    [
      ['IMG_1.jpg', 'IMG_1.jpg.xmp', 'IMG_1.xmp'],
      [a, b, c],
      2,
      ['.jpg', '.jpg.xmp', '.xmp'].map((ext) => `IMG_1${mA}-2${ext}`),
    ],
    [['IMG_1.xmp'], [a], 1, [`IMG_1${mA}.xmp`]],
    // a pair keeps one stem, whichever of its files is looked at first
    [
      ['IMG_1.jpg', 'IMG_1.CR2', 'IMG_1.xmp'],
      [b, a, c],
      1,
      ['.jpg', '.CR2', '.xmp'].map((ext) => `IMG_1${mA}${mB}${ext}`),
    ],
    [['IMG_1.CR2', 'IMG_1.jpg'], [a, b], 4, [`IMG_1${mA}${mB}-4.CR2`, `IMG_1${mA}${mB}-4.jpg`]],
    // an edited copy is another picture
    [['IMG_1.jpg', 'IMG_1-edited.jpg'], [a, b], 1, [`IMG_1${mA}.jpg`, `IMG_1-edited${mB}.jpg`]],
    [['IMG_1.jpg', 'IMG_1.JPG', 'IMG_1.CR2'], [a, b, c], 1, [`IMG_1${mA}.jpg`, `IMG_1${mB}.JPG`, `IMG_1${mC}.CR2`]],
    [['IMG_0001.JPG', 'SND_0001.WAV'], [a, b], 2, [`IMG_0001${mA}-2.JPG`, `SND_0001${mA}-2.WAV`]],
  ])('of %j stand before the extension, counters behind them', (names, digests, counter, expected) => {
    expect(named(withDigests(names, digests), counter)).toEqual(expected.map((name) => `p/trip/${name}`))
  })

  it('are not needed where the layout holds the whole digest', () => {
    expect(named(withDigests(['IMG_1.jpg'], [a]), 1, naming('{digest}{ext}'))).toEqual([`p/${a}.jpg`])
  })

  it('are those of a photo alone where the layout drops what tells a pair apart', () => {
    expect(named(withDigests(['IMG_1.CR2', 'IMG_1.jpg'], [a, b]), 1, naming('{name}'))).toEqual([
      `p/IMG_1${mA}`,
      `p/IMG_1${mB}`,
    ])
  })

  it('are the sidecar’s own where nobody knows those of its photo', () => {
    const group = withDigests(['IMG_1.jpg', 'IMG_1.xmp'], [a, b])
    ;(group[0] as Item).digest = undefined
    expect(named(group)[1]).toBe(`p/trip/IMG_1${mB}.xmp`)
  })

  it('leave out a sidecar that an earlier run has stored', () => {
    const group = withDigests(['IMG_1.jpg', 'IMG_1.xmp'], [a, b])
    Object.assign(group[1] as Item, { sidecar: false, kind: 'application/rdf+xml', done: true })
    expect(named(group)[0]).toBe(`p/trip/IMG_1${mA}.jpg`)
  })

  const stems = fc.constantFrom(
    'IMG_1',
    'x'.repeat(250),
    ':'.repeat(120),
    'é'.repeat(120),
    'a.b',
    '.a',
    `a.${'b'.repeat(200)}`,
  )
  const exts = fc.constantFrom('.jpg', '.CR2', '', '.xmp', '.jpg.xmp', `.${'e'.repeat(120)}`)
  const names = fc.uniqueArray(
    fc.tuple(stems, exts).map((parts) => parts.join('')),
    { minLength: 1, maxLength: 6 },
  )
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
  const layouts = fc.constantFrom('{dir}/{name}{ext}', '{uuid}{ext}', '{taken:yyyy}/{name}', '{uuid}', '{ext}/{name}')

  it('never let two contents of one name want one key, and always give one content the same', () => {
    const asked = fc.tuple(
      names,
      fc.array(hex, { minLength: 6, maxLength: 6 }),
      hex,
      fc.nat(5),
      layouts,
      fc.constantFrom(1, 2, 4711),
    )
    fc.assert(
      fc.property(asked, ([names, digests, other, which, layout, counter]) => {
        const own = naming(layout)
        const group = withDigests(names, digests)
        const keys = nameGroup(group, counter, own)
        expect(named(withDigests(names, digests), counter, own)).toEqual([...keys.values()])
        const changed = group[which % group.length] as Item
        const before = keys.get(changed) as string
        if (changed.sidecar && group.some(({ sidecar }) => !sidecar)) return
        expect(before).toContain((changed.digest as string).slice(0, 12))
        changed.digest = other
        const after = [...nameGroup(group, counter, own).values()]
        if (!before.includes(other.slice(0, 12))) expect(after).not.toContain(before)
      }),
      { numRuns: 500 },
    )
  })

  it('leave keys within the limit, each one its own, and their counters readable', () => {
    const asked = fc.tuple(
      names,
      fc.array(hex, { minLength: 6, maxLength: 6 }),
      layouts,
      fc.integer({ min: 1, max: 999_999 }),
    )
    fc.assert(
      fc.property(asked, ([names, digests, layout, counter]) => {
        const own = naming(layout)
        const group = withDigests(names, digests)
        const keys = nameGroup(group, counter, own)
        expect(new Set(keys.values()).size).toBe(names.length)
        for (const key of keys.values()) {
          for (const segment of key.split('/')) expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255)
        }
        const first = group.find(({ sidecar }) => !sidecar)
        if (first) expect(counterOf(keys.get(first) as string, baseKey(first, own), own.rules)).toBe(counter)
      }),
      { numRuns: 500 },
    )
  })

  it('are in what a run stores, and in what comes late', async () => {
    const world = new World()
    const options = { digestInNames: true }
    const digitsOf = (seed: number): string => createHash('sha256').update(jpeg(seed)).digest('hex').slice(0, 12)
    world.write('IMG_1.jpg', jpeg(1))
    await world.run({ options })
    world.write('IMG_1.jpg.xmp', xmp('late'))
    await world.run({ options })
    expect(world.keys).toEqual([`IMG_1-${digitsOf(1)}.jpg`, `IMG_1-${digitsOf(1)}.jpg.xmp`])
    world.write('IMG_1.jpg', jpeg(2))
    await world.run({ options })
    expect(world.keys).toContain(`IMG_1-${digitsOf(2)}.jpg`)
    expect(await world.run({ options })).toMatchObject({ uploaded: 0, skipped: 2 })
  })
})

describe('takenOf', () => {
  it('is the date that a photo of the group tells, else a sidecar, else the time of the file', () => {
    const [raw, photo, sidecar] = groupOf('A.CR2', 'A.jpg', 'A.xmp') as [Item, Item, Item]
    const date = (year: number) => ({ year, month: 1, day: 1, hour: 0, minute: 0, second: 0 })
    expect(takenOf(raw).year).toBe(2020)
    sidecar.taken = date(2001)
    expect(takenOf(raw).year).toBe(2001)
    photo.taken = date(2002)
    for (const item of [raw, photo, sidecar]) expect(takenOf(item).year).toBe(2002)
  })
})

describe('companions', () => {
  it('that come late join the counter that their photo got', async () => {
    const world = new World()
    world.destination.objects.set('IMG_1.jpg', jpeg(9))
    world.write('IMG_1.jpg', jpeg(1))
    await world.run()
    world.write('IMG_1.xmp', xmp('late'))
    world.write('IMG_1.png', Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), jpeg(3)]))
    await world.run()
    expect(world.keys).toEqual(['IMG_1-2.jpg', 'IMG_1-2.png', 'IMG_1-2.xmp', 'IMG_1.jpg'])
  })

  it.each(['{dir}/{name}{ext}', '{taken:yyyy}/{name}{ext}'])('join it on another machine too: %s', async (layout) => {
    const world = new World()
    const folder = layout.startsWith('{dir}') ? '' : '2023/'
    world.destination.objects.set(`${folder}IMG_1.jpg`, jpeg(9))
    world.write('IMG_1.jpg', jpeg(1))
    await world.run({ options: { layout } })
    const elsewhere = new World(world.destination)
    elsewhere.write('IMG_1.jpg', jpeg(1))
    elsewhere.write('IMG_1.xmp', xmp('late'))
    const catalog = () => world.catalog('elsewhere')
    const ran = await elsewhere.run({
      options: { layout },
      around: (own) => ({
        ...own,
        known: (digests) => using(catalog(), (shared) => shared.known(digests)),
        claim: (wants) => using(catalog(), (shared) => shared.claim(wants)),
      }),
    })
    expect(outcomesOf(ran, elsewhere.source)).toEqual({
      'IMG_1.jpg': 'skipped already-there',
      'IMG_1.xmp': `uploaded ${folder}IMG_1-2.xmp`,
    })
  })

  it('of a photo that lies under another name take the first counter that is free', async () => {
    const world = new World()
    world.write('first.jpg', jpeg(1))
    await world.run()
    for (const key of ['IMG_1.png', 'IMG_1-2.png']) world.destination.objects.set(key, jpeg(9))
    world.write('IMG_1.jpg', jpeg(1))
    await world.run()
    world.write('IMG_1.png', Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), jpeg(3)]))
    world.write('IMG_1.xmp', xmp('late'))
    await world.run()
    expect(world.keys).toContain('IMG_1-3.png')
    expect(world.keys).toContain('IMG_1-3.xmp')
  })

  // two names that differ in case alone are one file elsewhere
  it.runIf(process.platform === 'linux')('that a layout would name alike are all stored', async () => {
    const world = new World()
    world.write('IMG_1.jpg', jpeg(1))
    world.write('IMG_1-edited.jpg', jpeg(2))
    world.write('IMG_1.xmp', xmp('a'))
    world.write('img_1.XMP', xmp('b'))
    const ran = await world.run({ options: { layout: '{uuid}' } })
    expect(ran).toMatchObject({ found: 4, uploaded: 4 })
    expect(await world.run({ options: { layout: '{uuid}' } })).toMatchObject({ uploaded: 0, skipped: 4 })
  })
})

async function using<T>(
  catalog: ReturnType<World['catalog']>,
  act: (catalog: ReturnType<World['catalog']>) => Promise<T>,
): Promise<T> {
  try {
    return await act(catalog)
  } finally {
    await catalog.close()
  }
}

describe('a name that had to be made safe', () => {
  it('is kept in the catalog as it was', async () => {
    const world = new World()
    const names = ['con.jpg', 'a:b?.jpg', 'trailing.']
    for (const [at, name] of names.entries()) world.write(name, jpeg(at))
    await world.run()
    const kept = new Map((await world.entries()).map(({ key, name }) => [name, key]))
    expect([...kept.keys()].toSorted()).toEqual(names.toSorted())
    for (const [name, key] of kept) expect(decodeSegment(key)).toEqual(bytesOf(name))
    expect(world.keys).toEqual([...kept.values()].toSorted())
  })

  it.runIf(process.platform === 'linux')('is kept to the byte where it is no UTF-8', async () => {
    const world = new World()
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x6a, 0x70, 0x67])
    writeFileSync(Buffer.concat([Buffer.from(`${world.source}/`), name]), jpeg(1))
    await world.run()
    const [entry] = await world.entries()
    expect(bytesOf(entry?.name ?? '')).toEqual(name)
  })
})
