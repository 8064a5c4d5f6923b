import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFilters, isLitter, withIgnoreFile, type IgnoreFile } from '../../src/pipeline/filters.ts'
import type { FilterOptions } from '../../src/pipeline/options.ts'
import { noFilters, scratch, World, jpeg } from './harness.ts'

function wanted(
  options: Partial<FilterOptions>,
  paths: readonly string[],
  ignores: readonly IgnoreFile[] = [],
): string[] {
  const filters = createFilters({ ...noFilters, ...options })
  return paths.filter((path) => filters.wantsName(path.replace(/\/$/, ''), path.endsWith('/'), ignores))
}

describe('include and exclude', () => {
  const paths = ['a.jpg', 'a.JPG', 'sub/b.jpg', 'sub/c.png', 'sub/', '.hidden.jpg', 'raw/x.cr2', 'raw/']

  it('take everything when nothing is said', () => {
    expect(wanted({}, paths)).toEqual(paths)
    expect(createFilters(noFilters)).toMatchObject({ byName: false, byStat: false })
  })

  it.each([
    [['*.jpg'], ['a.jpg', 'a.JPG', 'sub/b.jpg', 'sub/', '.hidden.jpg', 'raw/']],
    [['sub/*'], ['sub/b.jpg', 'sub/c.png', 'sub/', 'raw/']],
    [['/a.jpg'], ['a.jpg', 'a.JPG', 'sub/', 'raw/']],
    [
      ['**/*.png', 'raw/**'],
      ['sub/c.png', 'sub/', 'raw/x.cr2', 'raw/'],
    ],
  ])('include %j', (include, expected) => {
    expect(wanted({ include }, paths)).toEqual(expected)
  })

  it.each([
    [['*.jpg'], ['sub/c.png', 'sub/', 'raw/x.cr2', 'raw/']],
    [['raw/'], ['a.jpg', 'a.JPG', 'sub/b.jpg', 'sub/c.png', 'sub/', '.hidden.jpg', 'raw/x.cr2']],
    [['/a.jpg'], ['sub/b.jpg', 'sub/c.png', 'sub/', '.hidden.jpg', 'raw/x.cr2', 'raw/']],
    [['./sub'], ['a.jpg', 'a.JPG', 'sub/b.jpg', 'sub/c.png', '.hidden.jpg', 'raw/x.cr2', 'raw/']],
  ])('exclude %j', (exclude, expected) => {
    expect(wanted({ exclude }, paths)).toEqual(expected)
  })

  it('exclude wins over include', () => {
    expect(wanted({ include: ['*.jpg'], exclude: ['sub/*'] }, ['a.jpg', 'sub/b.jpg'])).toEqual(['a.jpg'])
  })

  it('lines of a file exclude as gitignore does', () => {
    expect(wanted({ ignoreLines: ['*.png', '!keep.png', '# words', ''] }, ['a.png', 'keep.png', 'b.jpg'])).toEqual([
      'keep.png',
      'b.jpg',
    ])
  })

  it('answer for any name that a disk may hold', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.constantFrom('..a', 'a\udcff', ' ', '\n', '\\', '!', '#', '[', '{a,b}'),
    )
    const segment = name.map((text) => text.replaceAll(/[/\0]/g, '_')).filter((text) => !['', '.', '..'].includes(text))
    const filters = createFilters({ ...noFilters, include: ['*.jpg'], exclude: ['x/*'], ignoreLines: ['*.tmp'] })
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean(), (segments, isFolder) => {
        const ignores = [{ dir: '', lines: '*.bak\n' }]
        expect(filters.wantsName(segments.join('/'), isFolder, ignores)).toBeTypeOf('boolean')
      }),
    )
  })
})

describe('.luminaignore', () => {
  const file = (dir: string, ...lines: string[]): IgnoreFile => ({ dir, lines: lines.join('\n') })

  it('holds for everything below its folder, and nothing beside it', () => {
    const ignores = [file('sub', '*.png', '/top.jpg', 'deep/only.jpg')]
    const paths = ['sub/a.png', 'sub/x/a.png', 'sub/top.jpg', 'sub/x/top.jpg', 'sub/deep/only.jpg']
    expect(wanted({}, paths, ignores)).toEqual(['sub/x/top.jpg'])
  })

  it('is overruled by one further in, either way', () => {
    const ignores = [file('', '*.png'), file('sub', '!*.png'), file('sub/deep', '*.png')]
    expect(wanted({}, ['a.png'], ignores.slice(0, 1))).toEqual([])
    expect(wanted({}, ['sub/a.png'], ignores.slice(0, 2))).toEqual(['sub/a.png'])
    expect(wanted({}, ['sub/deep/a.png'], ignores)).toEqual([])
  })

  it('tells folders from files, and leaves out what it does not speak of', () => {
    const ignores = [file('', 'cache/', '!important.jpg')]
    expect(wanted({}, ['cache/', 'cache', 'important.jpg', 'other.jpg'], ignores)).toEqual([
      'cache',
      'important.jpg',
      'other.jpg',
    ])
  })

  it('can not bring back what --exclude leaves out, nor what lies in an ignored folder', async () => {
    expect(wanted({ exclude: ['*.png'] }, ['a.png'], [file('', '!a.png')])).toEqual([])
    const world = new World()
    world.write('.luminaignore', 'closed/\n')
    world.write('closed/.luminaignore', '!a.jpg\n')
    world.write('closed/a.jpg', jpeg(1))
    world.write('b.jpg', jpeg(2))
    expect(await world.run()).toMatchObject({ found: 1, uploaded: 1 })
  })

  it('is read with those above it', () => {
    const folder = scratch()
    const inherited = [file('', 'x')]
    expect(withIgnoreFile(folder, 'a', inherited)).toBe(inherited)
    writeFileSync(join(folder, '.luminaignore'), '*.png\n')
    expect(withIgnoreFile(folder, 'a', inherited)).toEqual([...inherited, { dir: 'a', lines: '*.png\n' }])
  })

  it('excludes nothing when it is no file', () => {
    const folder = scratch()
    mkdirSync(join(folder, '.luminaignore'))
    expect(withIgnoreFile(folder, 'a', [])).toEqual([])
  })
})

describe('sizes and ages', () => {
  it('are inclusive at both ends', () => {
    const filters = createFilters({ ...noFilters, minBytes: 10, maxBytes: 20, sinceMs: 1000, untilMs: 2000 })
    expect(filters.byStat).toBe(true)
    const wants = (bytes: number, ms: number): boolean => filters.wantsStat(bytes, ms)
    expect([wants(10, 1000), wants(20, 2000)]).toEqual([true, true])
    expect([wants(9, 1500), wants(21, 1500), wants(15, 999), wants(15, 2001)]).toEqual([false, false, false, false])
  })
})

describe('isLitter', () => {
  it.each([
    '.DS_Store',
    '.ds_store',
    'Thumbs.db',
    '@eaDir',
    '._IMG_1.jpg',
    '.lumina',
    '.luminaignore',
    'System Volume Information',
    '$RECYCLE.BIN',
  ])('%s', (name) => expect(isLitter(name)).toBe(true))
  it.each(['IMG_1.jpg', '.hidden.jpg', 'lumina', '_IMG.jpg', 'Thumbs'])('not %s', (name) =>
    expect(isLitter(name)).toBe(false),
  )
})
