import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CatalogEntry } from '../../src/client/destination.ts'
import { LuminaError } from '../../src/errors.ts'
import type { SummaryEvent } from '../../src/events.ts'
import { nameOf } from '../../src/os-path.ts'
import { existingLedger, Ledger, type Remembered } from '../../src/state/ledger.ts'
import { digestOf } from '../contract/catalog-entries.ts'

let folder: string
let path: string
let open: Ledger[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-ledger-'))
  path = join(folder, 'ledger.db')
  open = []
})
afterEach(() => {
  for (const ledger of open) ledger.close()
  rmSync(folder, { recursive: true, force: true })
})

const connect = (): Ledger => {
  const ledger = new Ledger(folder)
  open.push(ledger)
  return ledger
}
const file = (name: string, more: Partial<Remembered> = {}): Remembered => ({
  name,
  bytes: 1000,
  mtimeUs: 1_700_000_000_123_456,
  ctimeUs: 1_700_000_000_654_321,
  inode: 42,
  kind: 'image/jpeg',
  digest: digestOf(name),
  stored: 0,
  ...more,
})
const seen = ({ digest: _, ...rest }: Remembered): Omit<Remembered, 'digest'> => rest
const catalog = (id: string, epoch = 1) => ({ id, epoch })
const summary = { event: 'summary', found: 1 } as SummaryEvent
const token = { temp: '0-abc-1' }

/** A ledger with something in each of its tables, many pages long. */
const fill = (ledger: Ledger): void => {
  const stored = ledger.place('file:///library', catalog('library'), 1)
  for (let at = 0; at < 20; at++) {
    const files = Array.from({ length: 50 }, (_, index) => file(`IMG_${index}.jpg`, { stored }))
    ledger.remember([{ path: `/photos/${at}`, files }])
  }
  ledger.begin('/photos/0/a.mov', 'file:///library', file('a.mov'), token, 1)
  const run = ledger.beginRun('upload', '/photos', 'file:///library', 1)
  ledger.endRun(run, 1, summary, [{ path: '/photos/0/b.jpg', code: 'unreadable', message: 'No.' }], 2)
}

/** Everything that a run asks of a ledger. */
const useAll = (ledger: Ledger): void => {
  const stored = ledger.place('file:///library', catalog('library'), 3)
  ledger.catalogAt('file:///library')
  for (let at = 0; at < 20; at++) {
    ledger.folder(`/photos/${at}`)
    ledger.file(`/photos/${at}`, 'IMG_7.jpg')
    ledger.digest(`/photos/${at}`, 'IMG_7.jpg')
  }
  ledger.transfer('/photos/0/a.mov', 'file:///library', file('a.mov'))
  ledger.transfers()
  ledger.runs(10)
  ledger.failures(1)
  ledger.remember([{ path: '/photos/new', files: [file('new.jpg', { stored })] }])
  ledger.begin('/photos/0/c.mov', 'file:///library', file('c.mov'), token, 1)
  ledger.finish('/photos/0/c.mov', 'file:///library')
  ledger.endRun(ledger.beginRun('upload', '/photos', 'file:///library', 1), 0, summary, [], 2)
}

describe('what is remembered of files', () => {
  it('is what was seen of them, in the order of their names’ bytes', () => {
    const files = [
      file('b'),
      file('A', { kind: undefined, digest: undefined }),
      file('ä', { inode: 0, ctimeUs: 0 }),
      file('a'),
    ]
    connect().remember([{ path: '/photos', files }])
    for (const ledger of [connect(), connect()]) {
      expect(ledger.folder('/photos')).toEqual(
        [files[1], files[3], files[0], files[2]].map((one) => seen(one as Remembered)),
      )
      expect(ledger.file('/photos', 'b')).toEqual(seen(file('b')))
      expect(ledger.digest('/photos', 'b')).toBe(digestOf('b'))
      expect(ledger.digest('/photos', 'A')).toBeUndefined()
    }
  })

  it('is nothing of what was never seen', () => {
    const ledger = connect()
    ledger.remember([{ path: '/photos', files: [file('a')] }])
    ledger.remember([])
    ledger.remember([{ path: '/empty', files: [] }])
    expect(ledger.folder('/other')).toEqual([])
    expect(ledger.folder('/empty')).toEqual([])
    expect(ledger.file('/photos', 'b')).toBeUndefined()
    expect(ledger.file('/other', 'a')).toBeUndefined()
    expect(ledger.digest('/other', 'a')).toBeUndefined()
  })

  it('is the last that was seen', () => {
    const ledger = connect()
    ledger.remember([{ path: '/photos', files: [file('a', { stored: 1 }), file('b')] }])
    ledger.remember([{ path: '/photos', files: [file('a', { bytes: 7, digest: undefined })] }])
    expect(ledger.folder('/photos')).toEqual([seen(file('a', { bytes: 7 })), seen(file('b'))])
    expect(ledger.digest('/photos', 'a')).toBeUndefined()
  })

  it('holds for names of any bytes', () => {
    const ledger = connect()
    const bytes = fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((all) => Buffer.from(all.map((byte) => (byte === 47 || byte === 0 ? 1 : byte))))
    let run = 0
    fc.assert(
      fc.property(
        fc.uniqueArray(bytes, { maxLength: 20, selector: (name) => name.toString('hex') }),
        bytes,
        (names, dir) => {
          const folderPath = `/photos/${run++}/${nameOf(dir)}`
          const files = names.map((name) => file(nameOf(name)))
          ledger.remember([{ path: folderPath, files }])
          const found = ledger.folder(folderPath)
          expect(new Set(found.map(({ name }) => name))).toEqual(new Set(files.map(({ name }) => name)))
          for (const { name } of files) expect(ledger.file(folderPath, name)?.name).toBe(name)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('keeps times and sizes to the last bit', () => {
    const ledger = connect()
    const odd = file('a', {
      bytes: 2 ** 52 + 1,
      mtimeUs: -(2 ** 52) - 1,
      ctimeUs: 2 ** 52 + 3,
      inode: 2 ** 53 - 1,
    })
    ledger.remember([{ path: '/photos', files: [odd] }])
    expect(ledger.file('/photos', 'a')).toEqual(seen(odd))
  })

  it('bears times that no number holds in microseconds: such a file is looked at again', () => {
    const ledger = connect()
    ledger.remember([{ path: '/photos', files: [file('a', { mtimeUs: 2 ** 60, ctimeUs: -(2 ** 70) }), file('b')] }])
    expect(ledger.folder('/photos').map(({ name }) => name)).toEqual(['a', 'b'])
    expect(ledger.file('/photos', 'a')?.mtimeUs).toBe(Number.MAX_SAFE_INTEGER)
    expect(ledger.setAside).toBeUndefined()
  })
})

describe('places', () => {
  it('have a bit of their own, for each catalog and each epoch of it', () => {
    const ledger = connect()
    const a = ledger.place('file:///a', catalog('a'), 1)
    const b = ledger.place('file:///b', catalog('b'), 2)
    const later = ledger.place('file:///a', catalog('a', 2), 3)
    expect(new Set([a, b, later]).size).toBe(3)
    for (const bit of [a, b, later]) expect(Math.log2(bit) % 1).toBe(0)
    expect(connect().place('file:///elsewhere', catalog('a'), 4)).toBe(a)
  })

  it('are remembered by every URL that led to them', () => {
    const ledger = connect()
    ledger.place('file:///mnt/1', catalog('a'), 1)
    ledger.place('file:///mnt/2', catalog('a'), 2)
    expect(ledger.catalogAt('file:///mnt/1')).toEqual(catalog('a'))
    expect(ledger.catalogAt('file:///mnt/2')).toEqual(catalog('a'))
    ledger.place('file:///mnt/1', catalog('b', 7), 3)
    expect(ledger.catalogAt('file:///mnt/1')).toEqual(catalog('b', 7))
    expect(ledger.catalogAt('file:///mnt/3')).toBeUndefined()
  })

  it('make room for the 32nd, and what was stored at the one that is gone is forgotten, nothing else', () => {
    const ledger = connect()
    const bits = Array.from({ length: 31 }, (_, at) => ledger.place(`file:///${at}`, catalog(`${at}`), 100 + at))
    expect(new Set(bits).size).toBe(31)
    const all = bits.reduce((sum, bit) => sum | bit, 0)
    ledger.remember([{ path: '/photos', files: [file('a', { stored: all })] }])
    // the first is used again, so that the second is the least recent
    ledger.place('file:///0', catalog('0'), 1000)
    const bit = ledger.place('file:///new', catalog('new'), 1001)
    expect(bit).toBe(bits[1])
    expect(ledger.file('/photos', 'a')?.stored).toBe(all & ~bit)
    expect(ledger.place('file:///1', catalog('1'), 1002)).toBe(bits[2])
    expect(ledger.catalogAt('file:///1')).toEqual(catalog('1'))
  })
})

describe('transfers', () => {
  it('are found again for the very file that was begun, and no other', () => {
    connect().begin('/a.mov', 'file:///library', file('a.mov'), token, 5)
    const ledger = connect()
    expect(ledger.transfer('/a.mov', 'file:///library', file('a.mov'))).toEqual(token)
    expect(ledger.transfer('/a.mov', 'file:///library', file('a.mov', { bytes: 1001 }))).toBeUndefined()
    expect(ledger.transfer('/a.mov', 'file:///library', file('a.mov', { mtimeUs: 5 }))).toBeUndefined()
    expect(ledger.transfer('/a.mov', 'file:///other', file('a.mov'))).toBeUndefined()
    expect(ledger.transfer('/b.mov', 'file:///library', file('a.mov'))).toBeUndefined()
  })

  it('are listed by destination, oldest first, until they are finished', () => {
    const ledger = connect()
    const odd = '/\udcff.mov'
    ledger.begin('/b', 'file:///1', file('b'), token, 2)
    ledger.begin(odd, 'file:///1', file('a'), token, 1)
    ledger.begin('/c', 'file:///2', file('c'), token, 3)
    expect(ledger.transfers().map(({ path: one }) => one)).toEqual([odd, '/b', '/c'])
    expect(ledger.transfers('file:///1')).toEqual([
      { path: odd, url: 'file:///1', bytes: 1000, mtimeUs: file('a').mtimeUs, token, begunMs: 1 },
      { path: '/b', url: 'file:///1', bytes: 1000, mtimeUs: file('b').mtimeUs, token, begunMs: 2 },
    ])
    ledger.finish(odd, 'file:///1')
    ledger.finish('/b', 'file:///2')
    expect(ledger.transfers().map(({ path: one }) => one)).toEqual(['/b', '/c'])
  })
})

describe('runs', () => {
  it('are listed newest first, with what failed in them', () => {
    const ledger = connect()
    const first = ledger.beginRun('upload', '/\udcff', 'file:///1', 10)
    ledger.endRun(first, 1, summary, [{ path: '/\udc80.jpg', code: 'unreadable', message: 'No.' }], 20)
    const second = ledger.beginRun('verify', '/b', 'file:///1', 30)
    expect(connect().runs(10)).toEqual([
      {
        id: second,
        command: 'verify',
        source: '/b',
        url: 'file:///1',
        begunMs: 30,
        endedMs: undefined,
        exitCode: undefined,
        summary: undefined,
      },
      {
        id: first,
        command: 'upload',
        source: '/\udcff',
        url: 'file:///1',
        begunMs: 10,
        endedMs: 20,
        exitCode: 1,
        summary,
      },
    ])
    expect(ledger.failures(first)).toEqual([{ path: '/\udc80.jpg', code: 'unreadable', message: 'No.' }])
    expect(ledger.failures(second)).toEqual([])
    expect(ledger.runs(1)).toHaveLength(1)
  })

  it('do not pile up, nor do their failures', () => {
    const ledger = connect()
    const failures = Array.from({ length: 1500 }, (_, at) => ({
      path: `/${at}`,
      code: 'unreadable' as const,
      message: 'No.',
    }))
    const first = ledger.beginRun('upload', '/a', 'file:///1', 0)
    ledger.endRun(first, 1, undefined, failures, 0)
    expect(ledger.failures(first)).toHaveLength(1000)
    for (let at = 1; at <= 250; at++) ledger.beginRun('upload', '/a', 'file:///1', at)
    expect(ledger.runs(1000).length).toBeLessThanOrEqual(201)
    expect(ledger.failures(first)).toEqual([])
  })
})

describe('two connections', () => {
  it('see what the other has written, and don’t get in each other’s way', () => {
    const [one, two] = [connect(), connect()]
    for (let at = 0; at < 100; at++) {
      one.remember([{ path: `/shared/${at}`, files: [file('a')] }])
      two.remember([{ path: `/shared/${at}`, files: [file('b')] }])
    }
    for (const ledger of [one, two]) expect(ledger.folder('/shared/99').map(({ name }) => name)).toEqual(['a', 'b'])
    expect(one.place('file:///x', catalog('x'), 1)).toBe(two.place('file:///x', catalog('x'), 2))
  })

  it('find one ledger, where both make it at once', () => {
    const ledgers = Array.from({ length: 10 }, connect)
    for (const [at, ledger] of ledgers.entries()) ledger.remember([{ path: '/photos', files: [file(`${at}`)] }])
    expect(connect().folder('/photos')).toHaveLength(10)
  })
})

describe('a ledger that is no ledger any more', () => {
  it.each<[string, () => void]>([
    ['garbage', () => writeFileSync(path, 'This is no database. '.repeat(5000))],
    ['zeros', () => writeFileSync(path, Buffer.alloc(statSync(path).size))],
    ['cut in the middle', () => truncateSync(path, Math.floor(statSync(path).size / 2))],
    ['cut within a page', () => truncateSync(path, 5000)],
    ['cut within its header', () => truncateSync(path, 50)],
  ])('(%s) is put aside, and an empty one takes its place', (_, damage) => {
    const before = new Ledger(folder)
    fill(before)
    before.close()
    damage()
    const damaged = readFileSync(path)
    const ledger = connect()
    useAll(ledger)
    expect(ledger.folder('/photos/new')).toHaveLength(1)
    expect(ledger.setAside).toBeDefined()
    expect(readFileSync(ledger.setAside as string).equals(damaged)).toBe(true)
    expect(connect().setAside).toBeUndefined()
  })

  it('an empty file is an empty ledger', () => {
    writeFileSync(path, '')
    const ledger = connect()
    useAll(ledger)
    expect(ledger.setAside).toBeUndefined()
  })

  it('is healed wherever its bytes were garbled, without a word of SQLite’s', () => {
    const before = new Ledger(folder)
    fill(before)
    before.close()
    const whole = readFileSync(path)
    // 60 to 63 hold the version of the schema: what is garbled there looks like a newer Lumina's
    const places = fc.integer({ min: 0, max: whole.length - 1 }).filter((at) => at < 60 || at > 63)
    const flips = fc.array(fc.tuple(places, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(
        fc.oneof(
          flips,
          flips.map((all) => all.map(([at, by]) => [at % 4096, by] as const).filter(([at]) => at < 60 || at > 63)),
        ),
        (all) => {
          for (const name of readdirSync(folder)) rmSync(join(folder, name))
          const damaged = Buffer.from(whole)
          for (const [at, by] of all) damaged[at] = (damaged[at] as number) ^ by
          writeFileSync(path, damaged)
          const ledger = new Ledger(folder)
          try {
            useAll(ledger)
            // and once healed, it holds
            useAll(ledger)
          } finally {
            ledger.close()
          }
        },
      ),
      { numRuns: 300, seed: 20_260_101 },
    )
  })

  it('is healed in mid-run', () => {
    const ledger = connect()
    fill(ledger)
    const other = new Ledger(folder)
    other.close()
    for (const suffix of ['', '-wal']) {
      if (existsSync(path + suffix)) writeFileSync(path + suffix, Buffer.alloc(statSync(path + suffix).size, 0x55))
    }
    useAll(ledger)
    useAll(connect())
  })

  it('does not tell one destination what was stored at another: bits of before mean nothing', () => {
    const ledger = connect()
    const before = ledger.place('file:///a', catalog('a'), 1)
    ledger.remember([
      { path: '/photos', files: Array.from({ length: 500 }, (_, at) => file(`${at}`, { stored: before })) },
    ])
    ledger.close()
    writeFileSync(path, 'garbage'.repeat(1000))
    rmSync(`${path}-wal`, { force: true })

    // a lane of the run that is under way goes on with the bit that it was given
    const lane = connect()
    lane.remember([{ path: '/photos', files: [file('lane.jpg', { stored: before })] }])
    expect(lane.file('/photos', 'lane.jpg')?.stored).toBe(0)
    // meanwhile, another run is given the same bit for another place
    const other = connect()
    const bit = other.place('file:///b', catalog('b'), 2)
    expect(bit).toBe(before)
    other.remember([{ path: '/photos', files: [file('other.jpg', { stored: bit })] }])
    expect(lane.file('/photos', 'other.jpg')?.stored).toBe(0)
    lane.remember([{ path: '/photos', files: [file('late.jpg', { stored: before })] }])
    expect(
      other
        .folder('/photos')
        .filter(({ stored }) => stored !== 0)
        .map(({ name }) => name),
    ).toEqual(['other.jpg'])
    expect(lane.place('file:///b', catalog('b'), 3)).toBe(bit)
    expect(lane.file('/photos', 'other.jpg')?.stored).toBe(bit)
  })

  it('gives a bit out without what a run of before may have left in it', () => {
    const ledger = connect()
    // as a lane does that opens the new ledger, and was told the bit by a run that knew the old one
    ledger.remember([{ path: '/photos', files: [file('a', { stored: 1 })] }])
    const bit = connect().place('file:///b', catalog('b'), 1)
    expect((connect().file('/photos', 'a')?.stored ?? 0) & bit).toBe(0)
  })
})

describe('a ledger of a newer Lumina', () => {
  it('is refused, and left as it is', () => {
    const before = new Ledger(folder)
    fill(before)
    before.close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version=999')
    db.close()
    const bytes = readFileSync(path)
    let error: unknown
    try {
      connect()
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(LuminaError)
    expect(error).toMatchObject({ code: 'state-newer', hint: expect.any(String) as string })
    expect(readFileSync(path).equals(bytes)).toBe(true)
    expect(readdirSync(folder)).toEqual(['ledger.db'])
  })
})

describe('a ledger of an older Lumina', () => {
  it('is brought up to date, with all that is in it', () => {
    const ledger = connect()
    fill(ledger)
    ledger.close()
    const db = new DatabaseSync(path)
    db.exec('DROP TABLE location; DROP TABLE unrecorded; PRAGMA user_version=1')
    db.close()
    const again = connect()
    expect(again.catalogAt('file:///library')).toEqual(catalog('library'))
    expect(again.folder('/photos/3')).toHaveLength(50)
  })
})

describe('what a catalog could not be told', () => {
  const entry = (key: string): CatalogEntry => {
    return { key, digest: 'd'.repeat(64), bytes: 3, kind: 'image/jpeg', sidecar: false, name: 'caf\udce9.jpg' }
  }

  it('is kept for its destination until it is told, names of any bytes too', () => {
    const ledger = connect()
    ledger.keepUnrecorded('supabase://a', [entry('b.jpg'), entry('a.jpg')])
    ledger.keepUnrecorded('supabase://b', [entry('c.jpg')])
    ledger.close()
    const again = connect()
    expect(again.unrecorded('supabase://a', 1)).toEqual([entry('a.jpg')])
    again.recorded('supabase://a', ['a.jpg'])
    expect(again.unrecorded('supabase://a', 9)).toEqual([entry('b.jpg')])
    expect(again.unrecorded('supabase://b', 9)).toEqual([entry('c.jpg')])
  })
})

describe('existingLedger', () => {
  it('makes none', () => {
    expect(existingLedger(join(folder, 'none'))).toBeUndefined()
    expect(readdirSync(folder)).toEqual([])
    fill(connect())
    const ledger = existingLedger(folder)
    expect(ledger?.runs(1)).toHaveLength(1)
    ledger?.close()
  })
})
