import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nameOf, osPath } from '../../src/os-path.ts'
import { packGroups, unpackGroups, type FolderTask, type Member, type Scanned } from '../../src/pipeline/batch.ts'
import { createFilters } from '../../src/pipeline/filters.ts'
import type { PipelineOptions } from '../../src/pipeline/options.ts'
import { scanFolder, spooling, type ScanContext } from '../../src/pipeline/scan.ts'
import { Spool } from '../../src/pipeline/spool.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { Volumes } from '../../src/state/volume.ts'
import { watchFs } from './fs-calls.ts'
import { jpeg, noFilters, outcomesOf, scratch, uploadOptions, World, xmp } from './harness.ts'

/** Only here do all names that differ name two files: elsewhere case or normal form is folded, or bytes must be UTF-8. */
const anyName = process.platform === 'linux'
const posix = process.platform !== 'win32'

/** Every folder goes through the spool, in pages of so many names. */
const spooled = (pageNames: number): ScanContext['spooling'] => ({ folderBytes: -1, pageNames })

function contextOf(more: Partial<ScanContext> = {}, options: Partial<PipelineOptions> = {}): ScanContext {
  const ledger = new Ledger(scratch())
  const spool = new Spool()
  onTestFinished(() => {
    ledger.close()
    spool.close()
  })
  const all = { ...uploadOptions, ...options }
  return {
    options: all,
    filters: createFilters(all.filters),
    ledger,
    volumes: new Volumes(),
    spool,
    spooling,
    place: 1,
    heldBytes: 1000,
    batchBytes: 10_000,
    ...more,
  }
}

const taskOf = (path: string, more: Partial<FolderTask> = {}): FolderTask => ({ path, dir: '', ignores: [], ...more })

interface Walked {
  names: string[]
  batches: Member[][][]
  tasks: number
  events: Scanned['events']
  found: number
}

/** Walks `task`, its rests and its folders to the end. */
function walk(task: FolderTask, ctx: ScanContext): Walked {
  const walked: Walked = { names: [], batches: [], tasks: 0, events: [], found: 0 }
  for (const waiting = [task]; waiting.length > 0;) {
    if (++walked.tasks > 500) throw new Error('The walk never ends.')
    const { batches, folders, rests, events, tally } = scanFolder(waiting.pop() as FolderTask, ctx)
    waiting.push(...folders, ...rests)
    walked.events.push(...events)
    walked.found += tally.found
    for (const { groups, folder } of batches) {
      const members = unpackGroups(groups)
      walked.batches.push(members)
      walked.names.push(...members.flat().map(({ name }) => (folder.dir === '' ? name : `${folder.dir}/${name}`)))
    }
  }
  return { ...walked, names: walked.names.toSorted() }
}

function write(folder: string, ...names: string[]): void {
  for (const name of names) {
    const path = join(folder, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, 'x')
  }
}

describe('packGroups', () => {
  it('gives back what was packed', () => {
    const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    const name = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((text) => text.replaceAll('\0', '_')),
      fc.constantFrom('a\udcff', '🌅.jpg', '\n'),
    )
    const memory = fc.record(
      {
        kind: fc.constantFrom('image/jpeg', 'video/mp4'),
        digest: fc.constant('ab'.repeat(32)),
        places: fc.nat(2 ** 31 - 1),
        stored: fc.constant(true as const),
      },
      { requiredKeys: ['kind'] },
    )
    const stamp = fc.record({ bytes: whole, mtimeUs: whole, ctimeUs: whole, inode: whole })
    const member = fc
      .tuple(name, stamp, fc.option(memory, { nil: {} }))
      .map(([name, stamp, memory]): Member => ({ name, stamp, ...memory }))
    fc.assert(
      fc.property(fc.array(fc.array(member, { minLength: 1, maxLength: 5 }), { maxLength: 10 }), (groups) => {
        expect(unpackGroups(structuredClone(packGroups(groups)))).toEqual(groups)
      }),
    )
  })
})

describe('batches', () => {
  it('hold every file of the folder once, with its companions, and are small enough to share out', () => {
    const folder = scratch()
    for (let at = 0; at < 150; at++) write(folder, `IMG_${at}.jpg`, `IMG_${at}.cr2`, `IMG_${at}.xmp`)
    const { names, batches } = walk(taskOf(folder), contextOf())
    expect(new Set(names).size).toBe(450)
    expect(names).toHaveLength(450)
    for (const groups of batches) {
      expect(groups.flat().length).toBeLessThanOrEqual(128)
      for (const group of groups) expect(group).toHaveLength(3)
    }
  })

  it('hold no more small files than the buffer that they share', () => {
    const folder = scratch()
    for (let at = 0; at < 30; at++) writeFileSync(join(folder, `${at}.jpg`), jpeg(at, 900))
    const { batches } = walk(taskOf(folder), contextOf())
    for (const groups of batches) {
      const bytes = groups.flat().reduce((sum, { stamp }) => sum + stamp.bytes, 0)
      expect(bytes).toBeLessThanOrEqual(10_000)
    }
    expect(batches.length).toBe(3)
  })
})

describe('a folder that is too large for memory', () => {
  it.runIf(anyName)('gives the same files, page by page, in whatever way names share their stems', () => {
    const stem = fc.constantFrom('a', 'b', 'frame', 'IMG_1', '！', '🌅')
    const name = fc
      .tuple(stem, fc.nat(30), fc.constantFrom('jpg', 'xmp', 'JPG'))
      .map(([stem, at, ext]) => `${stem}.${at}.${ext}`)
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 40 }), fc.integer({ min: 1, max: 10 }), (names, page) => {
        const folder = scratch()
        write(folder, ...names, 'below/deep.jpg')
        const plain = walk(taskOf(folder), contextOf())
        const paged = walk(taskOf(folder), contextOf({ spooling: spooled(page) }))
        expect(paged.names).toEqual(plain.names)
        expect(plain.names).toHaveLength(names.length + 1)
      }),
      { numRuns: 30 },
    )
  })

  it('keeps companions on one page', () => {
    const folder = scratch()
    for (let at = 0; at < 20; at++) write(folder, `IMG_${at + 10}.jpg`, `IMG_${at + 10}.xmp`, `IMG_${at + 10}.cr2`)
    const { batches } = walk(taskOf(folder), contextOf({ spooling: spooled(7) }))
    for (const group of batches.flat()) expect(group).toHaveLength(3)
  })

  it('heeds its own .luminaignore on every page', () => {
    const folder = scratch()
    write(folder, 'a.jpg', 'b.jpg', 'b.png', 'c.jpg', 'z.png', 'below/x.png')
    writeFileSync(join(folder, '.luminaignore'), '*.png\n')
    expect(walk(taskOf(folder), contextOf({ spooling: spooled(2) })).names).toEqual(['a.jpg', 'b.jpg', 'c.jpg'])
  })

  it('ends the loops of followed links on every page', () => {
    const folder = scratch()
    write(folder, 'a.jpg', 'b.jpg', 'c.jpg', 'd.jpg')
    symlinkSync(folder, join(folder, 'loop'))
    const ctx = contextOf({ spooling: spooled(2) }, { followSymlinks: true })
    expect(walk(taskOf(folder), ctx).names).toEqual(['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
  })

  it('goes on in every one of several, when one lane walks them together', async () => {
    const world = new World()
    for (let folder = 0; folder < 12; folder++) {
      for (let at = 0; at < 5; at++) world.write(`${folder}/IMG_${at}.jpg`, jpeg(1 + at + folder * 5))
    }
    expect(await world.run({ spooling: spooled(2) })).toMatchObject({ found: 60, uploaded: 60 })
    for (const lanes of [1, 2, 3]) {
      expect(await world.run({ lanes, spooling: spooled(2) })).toMatchObject({ found: 60, uploaded: 0, skipped: 60 })
    }
  })
})

describe('what the ledger remembers', () => {
  const rerun = async (world: World, names: readonly string[], pageNames?: number): Promise<string[]> => {
    for (const [at, name] of names.entries()) {
      writeFileSync(osPath(`${world.source}/${name}`), jpeg(at + 1))
    }
    const options = pageNames === undefined ? {} : { spooling: spooled(pageNames) }
    expect(await world.run(options)).toMatchObject({ uploaded: names.length })
    const calls = watchFs(world.source)
    expect(await world.run(options)).toMatchObject({ uploaded: 0, skipped: names.length })
    return calls.opened
  }

  it.runIf(anyName).each([
    ['in one go', undefined],
    ['through the spool', 100],
    ['page by page', 2],
  ])('is found for names of any kind, %s', async (_, pageNames) => {
    // in UTF-16, what lies beyond the BMP comes before U+FF01; in bytes, after it
    const names = ['a.jpg', '！.jpg', '🌅.jpg', 'é.jpg', 'e\u0301.jpg', 'new\nline.jpg', '\udcff.jpg', 'z.jpg']
    expect(await rerun(new World(), names, pageNames)).toEqual([])
  })

  it('is found behind followed links', async () => {
    const world = new World()
    world.write('elsewhere/a.jpg', jpeg(1))
    mkdirSync(join(world.source, 'links'))
    symlinkSync(join(world.source, 'elsewhere/a.jpg'), join(world.source, 'links/b.jpg'))
    const options = { followSymlinks: true }
    expect(await world.run({ options })).toMatchObject({ found: 2, uploaded: 1 })
    const calls = watchFs(world.source)
    expect(await world.run({ options })).toMatchObject({ found: 2, uploaded: 0 })
    expect(calls.opened).toEqual([])
  })
})

describe('what is found beside files', () => {
  it.runIf(posix)('is skipped with its reason, and never opened', async () => {
    const world = new World()
    world.write('a.jpg', jpeg(1))
    execFileSync('mkfifo', [join(world.source, 'fifo.jpg')])
    symlinkSync('a.jpg', join(world.source, 'link.jpg'))
    symlinkSync('nowhere', join(world.source, 'dangling.jpg'))
    const socket = createServer().listen(join(world.source, 'socket.jpg'))
    await new Promise((resolve) => socket.once('listening', resolve))
    const ran = await world.run()
    await new Promise((resolve) => socket.close(resolve))
    expect(outcomesOf(ran, world.source)).toEqual({
      'a.jpg': 'uploaded a.jpg',
      'dangling.jpg': 'skipped symlink',
      'fifo.jpg': 'skipped special-file',
      'link.jpg': 'skipped symlink',
      'socket.jpg': 'skipped special-file',
    })
  })

  it.runIf(posix)('does not wait for a FIFO that bears the name of an ignore file', () => {
    const folder = scratch()
    write(folder, 'a.jpg')
    execFileSync('mkfifo', [join(folder, '.luminaignore')])
    expect(walk(taskOf(folder), contextOf()).names).toEqual(['a.jpg'])
  })

  it.runIf(posix)('is one failed asset when a folder can not be read', () => {
    const folder = scratch()
    write(folder, 'closed/a.jpg', 'open/b.jpg')
    const closed = join(folder, 'closed')
    chmodSync(closed, 0)
    onTestFinished(() => chmodSync(closed, 0o700))
    const mayReadAll = process.getuid?.() === 0
    const { names, events } = walk(taskOf(folder), contextOf())
    expect(names).toEqual(mayReadAll ? ['closed/a.jpg', 'open/b.jpg'] : ['open/b.jpg'])
    expect(events.map(({ event }) => event)).toEqual(mayReadAll ? [] : ['found', 'failed'])
  })

  it('is one failed asset when a folder went while it waited', () => {
    const folder = scratch()
    const { events, found } = walk(taskOf(join(folder, 'gone')), contextOf())
    expect(events.at(-1)).toMatchObject({ event: 'failed', code: 'vanished', path: join(folder, 'gone') })
    expect(found).toBe(1)
  })

  it('is litter only where nobody named it', () => {
    const folder = scratch()
    write(folder, 'a.jpg', '._a.jpg', '.DS_Store', 'Thumbs.db', '@eaDir/x.jpg', '.lumina/tmp/x.jpg')
    expect(walk(taskOf(folder), contextOf()).names).toEqual(['a.jpg'])
    expect(walk(taskOf(folder, { only: ['._a.jpg', 'a.jpg'] }), contextOf()).names).toEqual(['._a.jpg', 'a.jpg'])
  })

  it('is left out where it is the library', () => {
    const folder = scratch()
    write(folder, 'a.jpg', 'library/b.jpg', 'sub/c.jpg')
    symlinkSync(join(folder, 'library'), join(folder, 'sub/again'))
    const filters = { ...noFilters, skipFolders: [join(folder, 'library')] }
    expect(walk(taskOf(folder), contextOf({}, { filters, followSymlinks: true })).names).toEqual(['a.jpg', 'sub/c.jpg'])
  })
})

describe('links', () => {
  it('are followed when asked, into folders too, and loops end', () => {
    const folder = scratch()
    write(folder, 'a/1.jpg', 'b/2.jpg')
    symlinkSync(join(folder, 'b'), join(folder, 'a/to-b'))
    symlinkSync(join(folder, 'a'), join(folder, 'b/to-a'))
    symlinkSync('.', join(folder, 'self'))
    symlinkSync(join(folder, 'a/1.jpg'), join(folder, 'one.jpg'))
    const { names } = walk(taskOf(folder), contextOf({}, { followSymlinks: true }))
    expect(names).toEqual(['a/1.jpg', 'a/to-b/2.jpg', 'b/2.jpg', 'b/to-a/1.jpg', 'one.jpg'])
  })

  it('into folders are followed whatever names are included', () => {
    const folder = scratch()
    const elsewhere = scratch()
    write(elsewhere, 'x.jpg', 'x.png')
    symlinkSync(elsewhere, join(folder, 'album'))
    symlinkSync(elsewhere, join(folder, 'album.skip'))
    const filters = { ...noFilters, include: ['*.jpg'], exclude: ['*.skip'] }
    expect(walk(taskOf(folder), contextOf({}, { filters, followSymlinks: true })).names).toEqual(['album/x.jpg'])
  })

  it.runIf(anyName)('whose names are no UTF-8 are followed too', () => {
    const folder = scratch()
    const elsewhere = join(scratch(), nameOf(Buffer.from([0x66, 0xff])))
    mkdirSync(osPath(elsewhere))
    writeFileSync(osPath(`${elsewhere}/x.jpg`), 'x')
    symlinkSync(osPath(elsewhere), osPath(`${folder}/\udcfe`))
    expect(walk(taskOf(folder), contextOf({}, { followSymlinks: true })).names).toEqual(['\udcfe/x.jpg'])
  })

  it('that somebody named are followed unasked, unless they lead to folders', () => {
    const folder = scratch()
    write(folder, 'a.jpg', 'below/b.jpg')
    symlinkSync('a.jpg', join(folder, 'link.jpg'))
    symlinkSync('below', join(folder, 'folder'))
    const { names } = walk(taskOf(folder, { only: ['folder', 'link.jpg'] }), contextOf())
    expect(names).toEqual(['link.jpg'])
  })
})

describe('names', () => {
  it.runIf(anyName)('of any bytes are walked, and told apart', () => {
    const folder = scratch()
    const names = [
      Buffer.from([0xff, 0x2e, 0x6a]),
      Buffer.from([0xfe, 0x2e, 0x6a]),
      Buffer.from('\u00e9'),
      Buffer.from('e\u0301'),
    ]
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), 'x')
    mkdirSync(osPath(`${folder}/\udcf0`))
    writeFileSync(osPath(`${folder}/\udcf0/in.jpg`), 'x')
    const walked = walk(taskOf(folder), contextOf())
    expect(walked.names).toEqual([...names.map((name) => nameOf(name)), '\udcf0/in.jpg'].toSorted())
  })

  it('of 255 bytes, 300 folders deep, are walked', async () => {
    const world = new World()
    const deep = Array.from({ length: 300 }, (_, at) => `d${at}`).join('/')
    world.write(`${deep}/a.jpg`, jpeg(1))
    world.write(`${'x'.repeat(251)}.jpg`, jpeg(2))
    expect(await world.run()).toMatchObject({ found: 2, uploaded: 2 })
  })
})

describe('sizes and ages', () => {
  it('choose files without a look inside', () => {
    const folder = scratch()
    writeFileSync(join(folder, 'small.jpg'), jpeg(1, 100))
    writeFileSync(join(folder, 'large.jpg'), jpeg(1, 5000))
    const modifiedMs = statSync(join(folder, 'small.jpg')).mtimeMs
    const namesWith = (more: object): string[] =>
      walk(taskOf(folder), contextOf({}, { filters: { ...noFilters, ...more } })).names
    expect(namesWith({ minBytes: 101 })).toEqual(['large.jpg'])
    expect(namesWith({ maxBytes: 100 })).toEqual(['small.jpg'])
    expect(namesWith({ sinceMs: modifiedMs + 60_000 })).toEqual([])
    expect(namesWith({ untilMs: modifiedMs - 60_000 })).toEqual([])
  })
})

it('a file that goes between two looks is one failed asset', async () => {
  const world = new World()
  const path = world.write('a.jpg', jpeg(1))
  world.write('b.jpg', jpeg(2))
  world.write('b.xmp', xmp('b'))
  const ran = await world.run({
    lane: (client) => ({
      ...client,
      work: (batch) => {
        unlinkSync(path)
        return client.work(batch)
      },
    }),
  })
  expect(outcomesOf(ran, world.source)).toMatchObject({ 'a.jpg': 'failed vanished', 'b.jpg': 'uploaded b.jpg' })
})
