import { createHash } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  lstatSync,
  openSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LuminaError } from '../../src/errors.ts'
import {
  checkUnchanged,
  FileSource,
  heldSource,
  openAsset,
  sourceFailure,
  stampOf,
  withSource,
  type AssetFile,
} from '../../src/pipeline/source.ts'
import { content } from '../contract/sources.ts'
import { scratch } from './harness.ts'

const chunkBytes = 256 * 1024
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function fileOf(bytes: Uint8Array, folder = scratch()): AssetFile {
  const path = join(folder, 'a.jpg')
  writeFileSync(path, bytes)
  // a time long past, so that whatever is written next has another
  utimesSync(path, 1_700_000_000, 1_700_000_000)
  return { path, stamp: stampOf(lstatSync(path), true), stableInodes: true }
}

/** A source that is open as long as `use` takes. */
function opened<T>(file: AssetFile, expected: string | undefined, use: (source: FileSource) => T): T {
  const fd = openSync(file.path, 'r')
  try {
    return use(new FileSource(file, fd, 'image/jpeg', expected))
  } finally {
    closeSync(fd)
  }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'none'
  } catch (error) {
    if (error instanceof LuminaError) return error.code
    throw error
  }
}

function readAll(source: FileSource, pieceBytes: number): Uint8Array {
  const all = new Uint8Array(source.bytes)
  for (let at = 0; at < all.length;) {
    const got = source.read(all.subarray(at, at + pieceBytes), at)
    if (got === 0) break
    at += got
  }
  return all
}

describe('FileSource', () => {
  it.each([1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes, 2 * chunkBytes + 1])(
    'gives %i bytes as they are, with their digest',
    (bytes) => {
      const all = content(bytes, 7)
      const file = fileOf(all)
      opened(file, sha256(all), (source) => {
        expect(Buffer.compare(readAll(source, chunkBytes), all)).toBe(0)
        expect(source.sha256).toBe(sha256(all))
      })
      opened(file, undefined, (source) => expect(source.finishHash(() => undefined)).toBe(sha256(all)))
    },
  )

  it('has one digest, whatever is read in whatever order', () => {
    const all = content(3 * chunkBytes + 77, 3)
    const file = fileOf(all)
    const reads = fc.array(
      fc.record({ offset: fc.nat(all.length + 10), length: fc.integer({ min: 1, max: 400_000 }) }),
      {
        maxLength: 12,
      },
    )
    fc.assert(
      fc.property(reads, (asked) => {
        opened(file, undefined, (source) => {
          for (const { offset, length } of asked) {
            const into = new Uint8Array(length)
            const got = source.read(into, offset)
            expect(got > 0).toBe(offset < all.length)
            expect(Buffer.compare(into.subarray(0, got), all.subarray(offset, offset + got))).toBe(0)
          }
          expect(source.finishHash(() => undefined)).toBe(sha256(all))
          expect(source.sha256).toBe(sha256(all))
        })
      }),
    )
  })

  it('knows no digest before every byte was read', () => {
    const file = fileOf(content(1000))
    opened(file, undefined, (source) => {
      source.read(new Uint8Array(999), 0)
      expect(source.sha256).toBeUndefined()
      source.read(new Uint8Array(1), 999)
      expect(source.sha256).toBe(sha256(content(1000)))
    })
  })

  it('asks whether to go on, for each chunk that it reads for the digest alone', () => {
    const file = fileOf(content(3 * chunkBytes))
    let asked = 0
    opened(file, undefined, (source) => source.finishHash(() => asked++))
    expect(asked).toBe(3)
    const stop = (): never => {
      throw new LuminaError('interrupted', 'Stop.')
    }
    expect(codeOf(() => opened(file, undefined, (source) => source.finishHash(stop)))).toBe('interrupted')
  })

  it('has the digest of nothing for an empty file', () => {
    const file = fileOf(new Uint8Array())
    let turns = 0
    const soon = (): void => {
      if (++turns > 3) throw new LuminaError('interrupted', 'It never ends.')
    }
    opened(file, undefined, (source) => expect(source.finishHash(soon)).toBe(sha256(new Uint8Array())))
  })

  it('tells kind, size and time of the file, and the digest only where it is expected', () => {
    const file = fileOf(content(10))
    opened(file, undefined, (source) => {
      expect(source).toMatchObject({ bytes: 10, kind: 'image/jpeg', modifiedMs: 1_700_000_000_000 })
      expect(source.digest).toBeUndefined()
    })
    opened(file, 'abc', (source) => expect(source.digest).toBe('abc'))
  })

  describe('fails as changed-while-reading, in the middle of a pass', () => {
    const bytes = 2 * chunkBytes
    const changes: [string, (path: string) => void][] = [
      ['that grows', (path) => appendFileSync(path, 'more')],
      ['that shrinks', (path) => truncateSync(path, chunkBytes + 1)],
      ['that is emptied', (path) => truncateSync(path, 0)],
      ['that is written again, as long as before', (path) => writeFileSync(path, content(bytes, 99))],
      ['that is touched', (path) => utimesSync(path, 1_800_000_000, 1_800_000_000)],
    ]
    it.each(changes)('on a file %s', (_, change) => {
      const file = fileOf(content(bytes))
      const read = (): unknown =>
        opened(file, undefined, (source) => {
          source.read(new Uint8Array(chunkBytes), 0)
          change(file.path)
          return source.finishHash(() => undefined)
        })
      expect(codeOf(read)).toBe('changed-while-reading')
    })

    it.each(changes)('on a file %s after it was read once, when it is read again', (_, change) => {
      const file = fileOf(content(bytes))
      const read = (): unknown =>
        opened(file, undefined, (source) => {
          readAll(source, chunkBytes)
          change(file.path)
          return readAll(source, chunkBytes)
        })
      expect(codeOf(read)).toBe('changed-while-reading')
    })
  })

  it('fails as changed-while-reading when the bytes are not those that were expected', () => {
    const file = fileOf(content(100))
    expect(codeOf(() => opened(file, sha256(content(100, 2)), (source) => readAll(source, 100)))).toBe(
      'changed-while-reading',
    )
  })
})

it('a FileSource that failed once fails again, and never waits for bytes that do not come', () => {
  const file = fileOf(content(100))
  opened(file, sha256(content(100, 2)), (source) => {
    expect(codeOf(() => readAll(source, 100))).toBe('changed-while-reading')
    expect(codeOf(() => readAll(source, 100))).toBe('changed-while-reading')
    expect(codeOf(() => source.finishHash(() => undefined))).toBe('changed-while-reading')
  })
})

describe('withSource', () => {
  it('fails before a byte is read, on a file that is not the one that was found', async () => {
    const folder = scratch()
    const file = fileOf(content(100), folder)
    renameSync(fileOf(content(100, 2), scratch()).path, file.path)
    const never = async (): Promise<void> => expect.unreachable()
    await expect(withSource(file, 'image/jpeg', undefined, never)).rejects.toMatchObject({
      code: 'changed-while-reading',
      retry: 'transient',
    })
  })

  it('closes the file, whatever comes', async () => {
    const file = fileOf(content(100))
    const fds: number[] = []
    for (let at = 0; at < 20; at++) {
      await withSource(file, 'image/jpeg', undefined, async () => {
        throw new Error('no')
      }).catch(() => undefined)
      const fd = openAsset(file.path)
      fds.push(fd)
      closeSync(fd)
    }
    expect(new Set(fds).size).toBe(1)
  })
})

describe('openAsset', () => {
  it('says what became of a file', () => {
    const folder = scratch()
    expect(codeOf(() => openAsset(join(folder, 'gone.jpg')))).toBe('vanished')
    expect(codeOf(() => openAsset(join(fileOf(content(1), folder).path, 'below a file')))).toBe('vanished')
  })

  it('takes a folder that took a file’s place for a change', () => {
    const file = fileOf(content(1))
    const fd = openAsset(scratch())
    expect(codeOf(() => checkUnchanged(fd, file))).toBe('changed-while-reading')
    closeSync(fd)
  })
})

describe('sourceFailure', () => {
  const system = (code: string): Error => Object.assign(new Error(code), { code })
  it.each([
    ['ENOENT', 'vanished'],
    ['ENOTDIR', 'vanished'],
    ['ESTALE', 'vanished'],
    ['EACCES', 'unreadable'],
    ['EIO', 'unreadable'],
  ])('takes %s for %s', (code, expected) => {
    expect(sourceFailure(system(code), 'a.jpg')).toMatchObject({ code: expected })
  })

  it('leaves alone what is no system error', () => {
    const bug = new TypeError('x')
    const known = new LuminaError('limit', 'x')
    expect(sourceFailure(bug, 'a')).toBe(bug)
    expect(sourceFailure(known, 'a')).toBe(known)
  })
})

describe('stampOf', () => {
  it('leaves out what does not last on a file system without stable inodes', () => {
    const stats = lstatSync(fileOf(content(5)).path)
    expect(stampOf(stats, false)).toEqual({ bytes: 5, mtimeUs: 1_700_000_000_000_000, ctimeUs: 0, inode: 0 })
    expect(stampOf(stats, true).inode).toBe(stats.ino)
  })
})

describe('heldSource', () => {
  it('gives its bytes from any offset, and nothing at the end', () => {
    const all = content(1000)
    const source = heldSource(all, 'image/jpeg', 5, 'digest')
    fc.assert(
      fc.property(fc.nat(1100), fc.integer({ min: 1, max: 1100 }), (offset, length) => {
        const into = new Uint8Array(length)
        const got = source.read(into, offset) as number
        expect(got).toBe(Math.max(0, Math.min(length, 1000 - offset)))
        expect(Buffer.compare(into.subarray(0, got), all.subarray(offset, offset + got))).toBe(0)
      }),
    )
    expect(source).toMatchObject({ bytes: 1000, kind: 'image/jpeg', modifiedMs: 5, digest: 'digest' })
  })
})
