import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LuminaError } from '../../src/errors.ts'
import { nameOf } from '../../src/os-path.ts'
import { FileList } from '../../src/pipeline/file-list.ts'
import { isInside, sourcesOf } from '../../src/pipeline/sources.ts'
import { scratch } from './harness.ts'

function tree(): string {
  const folder = scratch()
  for (const path of ['a/sub', 'ab']) mkdirSync(join(folder, path), { recursive: true })
  for (const path of ['a/1.jpg', 'a/sub/2.jpg', 'ab/3.jpg', '4.jpg']) writeFileSync(join(folder, path), 'x')
  return folder
}

describe('sourcesOf', () => {
  const pathsOf = (cwd: string, ...paths: string[]): string[] =>
    [...sourcesOf(paths, cwd).tasks].flatMap(({ path, only }) =>
      only ? only.map((name) => `${path}/${name}`) : [path],
    )

  it('takes folders and files, relative to where one is', () => {
    const cwd = tree()
    expect(pathsOf(cwd, 'a', './4.jpg')).toEqual([join(cwd, 'a'), join(cwd, '4.jpg')])
  })

  it('takes a path once that is given twice, or lies in another', () => {
    const cwd = tree()
    expect(pathsOf(cwd, 'a', 'a/', 'a/sub', 'a/1.jpg', join(cwd, 'a'), 'ab')).toEqual([join(cwd, 'a'), join(cwd, 'ab')])
    expect(pathsOf(cwd, '4.jpg', '4.jpg')).toEqual([join(cwd, '4.jpg')])
  })

  it('calls the same sources by the same roots, however they are written', () => {
    const cwd = tree()
    symlinkSync('a', join(cwd, 'link'))
    expect(sourcesOf(['ab', 'a'], cwd).roots).toEqual(sourcesOf(['link', './a/', 'ab/../ab'], cwd).roots)
  })

  it.each(['gone', '4.jpg/below', 'dangling'])('refuses %s, with a hint or a reason', (path) => {
    const cwd = tree()
    symlinkSync('nowhere', join(cwd, 'dangling'))
    expect(() => sourcesOf([path], cwd)).toThrow(LuminaError)
    expect(() => sourcesOf([path], cwd)).toThrow(path)
  })
})

describe('isInside', () => {
  it.each([
    ['/a/b', '/a', true],
    ['/a', '/a', true],
    ['/ab', '/a', false],
    ['/a', '/', true],
    ['/a', '/a/b', false],
  ])('%s in %s: %s', (path, folder, expected) => expect(isInside(path, folder)).toBe(expected))
})

describe('a list of files', () => {
  async function listOf(bytes: Uint8Array, nul = false, pieceBytes = 7): Promise<FileList> {
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield Buffer.from(bytes.subarray(at, at + pieceBytes))
    }
    const list = await FileList.read(pieces(), nul, '/cwd')
    onTestFinished(() => list.close())
    return list
  }
  it('has its common root above every folder, also where one’s name begins with another’s', async () => {
    const list = await listOf(Buffer.from('/a/b/1.jpg\n/a/b-c/2.jpg\n/a/b/d/3.jpg\n'))
    expect(list.commonRoot()).toBe('/a')
    expect([...list.tasks()].map(({ dir }) => dir).toSorted()).toEqual(['b', 'b-c', 'b/d'])
    expect((await listOf(Buffer.from('/1.jpg\n/a/2.jpg\n'))).commonRoot()).toBe('/')
    expect((await listOf(Buffer.from('/a/b/1.jpg\n/a/b/2.jpg\n'))).commonRoot()).toBe('/a/b')
    expect((await listOf(Buffer.from('/1.jpg\n/2.jpg\n'))).commonRoot()).toBe('/')
  })

  const named = (list: FileList): string[] =>
    [...list.tasks()].flatMap(({ path, only = [] }) => only.map((name) => `${path}/${name}`))

  it('gives each file once, sorted by folder, whatever its lines end with', async () => {
    const list = await listOf(Buffer.from('/b/2.jpg\r\n/a/1.jpg\n\n/b/2.jpg\nrelative/3.jpg\n/b/./x/../4.jpg'))
    expect(named(list)).toEqual(['/a/1.jpg', '/b/2.jpg', '/b/4.jpg', '/cwd/relative/3.jpg'])
  })

  it('keeps line ends inside names that end with NUL', async () => {
    expect(named(await listOf(Buffer.from('/a/new\nline.jpg\0/a/b\r\0'), true))).toEqual(['/a/b\r', '/a/new\nline.jpg'])
  })

  it('says where files lie below what they have in common', async () => {
    const dirs = async (text: string): Promise<string[]> =>
      [...(await listOf(Buffer.from(text))).tasks()].map(({ dir }) => dir)
    expect(await dirs('/p/a/1.jpg\n/p/a/b/2.jpg\n/p/c/3.jpg')).toEqual(['a', 'a/b', 'c'])
    expect(await dirs('/p/a/1.jpg\n/p/a/2.jpg')).toEqual([''])
    expect(await dirs('/p/a/1.jpg\n/pa/2.jpg')).toEqual(['p/a', 'pa'])
  })

  it('takes names of any bytes, in whatever pieces they come', async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 20 })
      .map((bytes) => nameOf(Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte)))))
      .filter((text) => text !== '.' && text !== '..')
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 20 }),
        fc.integer({ min: 1, max: 50 }),
        async (names, pieceBytes) => {
          const bytes = Buffer.concat(
            names.flatMap((each) => [Buffer.from('/x/'), bytesOfName(each), Buffer.from([0])]),
          )
          const list = await FileList.read(piecesOf(bytes, pieceBytes), true, '/cwd')
          expect(named(list).toSorted()).toEqual(names.map((each) => `/x/${each}`).toSorted())
          list.close()
        },
      ),
      { numRuns: 50 },
    )
  })

  it('goes in tasks of a size that a lane can hold', async () => {
    const list = await listOf(
      Buffer.from(Array.from({ length: 2500 }, (_, at) => `/a/${at}.jpg\n`).join('')),
      false,
      60_000,
    )
    expect([...list.tasks()].map(({ only = [] }) => only.length)).toEqual([1000, 1000, 500])
    expect(new Set(named(list)).size).toBe(2500)
  })
})

async function* piecesOf(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

function bytesOfName(name: string): Buffer {
  return Buffer.concat(
    [...name].map((character) =>
      character.isWellFormed() ? Buffer.from(character) : Buffer.from([character.charCodeAt(0) - 0xdc00]),
    ),
  )
}
