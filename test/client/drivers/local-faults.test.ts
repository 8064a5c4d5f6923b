import type * as nodeFs from 'node:fs'
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { localDestination } from '../../../src/client/drivers/local.ts'
import { call, codeOf, failureOf } from '../../contract/calls.ts'
import { testDestination } from '../../contract/destination.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { diskVolume, type LocalSubject, localSubject } from './local-subject.ts'

/** What the file system does instead of its duty; and what it was told, in order. */
const faults = vi.hoisted(() => ({
  fsync: undefined as ((path: string) => string | undefined) | undefined,
  link: undefined as string | undefined,
  named: undefined as (() => void) | undefined,
  write: undefined as ((path: string) => string | undefined) | undefined,
  log: [] as string[],
  paths: new Map<number, string>(),
  reservation: '',
  /** So many fsyncs end at once. */
  together: 1,
  held: [] as (() => void)[],
}))

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof nodeFs>()
  const failWith = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: injected`), { code })
  return {
    ...fs,
    openSync: (path: string, ...rest: [string | number, number?]) => {
      const fd = fs.openSync(path, ...rest)
      faults.paths.set(fd, path)
      if (path.includes('reserved')) faults.reservation = path
      return fd
    },
    fsync: (fd: number, done: (error: Error | null) => void) => {
      const path = faults.paths.get(fd) ?? ''
      const code = faults.fsync?.(path)
      fs.fsync(fd, (error) => {
        faults.held.push(() => {
          faults.log.push(`fsync ${path}`)
          done(code === undefined ? error : failWith(code))
        })
        if (faults.held.length < faults.together) return
        faults.together = 1
        for (const finish of faults.held.splice(0)) finish()
      })
    },
    linkSync: (from: string, to: string) => {
      if (faults.link !== undefined) throw failWith(faults.link)
      fs.linkSync(from, to)
      faults.log.push(`name ${to}`)
      faults.named?.()
    },
    writeSync: (fd: number, ...rest: [Uint8Array, number, number, number]) => {
      const code = faults.write?.(faults.paths.get(fd) ?? '')
      if (code !== undefined) throw failWith(code)
      return fs.writeSync(fd, ...rest)
    },
  }
})

afterEach(() => {
  faults.fsync = undefined
  faults.together = 1
  faults.link = undefined
  faults.named = undefined
  faults.write = undefined
  faults.log.length = 0
})

testDestination('local, without hard links', () => {
  faults.link = 'EPERM'
  return localSubject()
})

describe('local, durability', () => {
  let subject: LocalSubject
  beforeEach(() => {
    subject = localSubject()
    faults.log.length = 0
  })
  afterEach(() => subject.dispose?.())

  /** What happened, with paths below the library; temporary files are all `temp`. */
  const log = (): string[] =>
    faults.log.map((line) => {
      const [what = '', ...path] = line.split(' ')
      const below = relative(subject.root, path.join(' '))
      return `${what} ${below.startsWith('.lumina') ? 'temp' : below === '' ? '.' : below}`
    })
  const put = (key: string) => subject.destination.put(key, sourceOf(content(10)), call())

  it('answers once the content, then its name, then every folder above are durable', async () => {
    await put('a/b/c.jpg')
    const [first, second, ...rest] = log()
    expect([first, second]).toEqual(['fsync temp', 'name a/b/c.jpg'])
    expect(rest.toSorted()).toEqual(['fsync .', 'fsync a', 'fsync a/b'])
  })

  it('flushes a finished transfer in the same order', async () => {
    const source = sourceOf(content(10))
    const token = (await subject.destination.resumable?.begin('a/b.jpg', source, call())) ?? {}
    await subject.destination.resumable?.append(token, source, 0, call())
    expect(log()).toEqual([])
    await subject.destination.resumable?.finish(token, 'a/b.jpg', source, call())
    expect(log().slice(0, 2)).toEqual(['fsync temp', 'name a/b.jpg'])
    expect(log().slice(2).toSorted()).toEqual(['fsync .', 'fsync a'])
  })

  it('flushes both folders of a move', async () => {
    await put('a/1.jpg')
    await put('b/1.jpg')
    faults.log.length = 0
    await subject.destination.move?.('a/1.jpg', 'b/2.jpg', call())
    expect(log()).toEqual(['name b/2.jpg', 'fsync b', 'fsync a'])
  })

  it('flushes the folders above that another lane or process made, and each but once', async () => {
    mkdirSync(join(subject.root, 'a/b'), { recursive: true })
    await put('a/b/1.jpg')
    expect(log()).toEqual(expect.arrayContaining(['fsync .', 'fsync a', 'fsync a/b']))
    faults.log.length = 0
    await put('a/b/2.jpg')
    expect(log()).toEqual(['fsync temp', 'name a/b/2.jpg', 'fsync a/b'])
  })

  it('flushes the folders above although the transfer that made them failed', async () => {
    await put('taken.jpg')
    faults.fsync = (path) => (path.endsWith('a') ? 'EIO' : undefined)
    expect(await codeOf(put('a/1.jpg'))).toBe('io')
    faults.fsync = undefined
    faults.log.length = 0
    await put('a/2.jpg')
    expect(log()).toContain('fsync .')
  })

  it('lets transfers that end together share the fsync of their folder', async () => {
    await put('a/0.jpg')
    faults.log.length = 0
    faults.together = 20
    await Promise.all(Array.from({ length: 20 }, (_, at) => put(`a/${at + 1}.jpg`)))
    expect(log().filter((line) => line === 'fsync a')).toHaveLength(1)
    // and no name comes after the last of them
    expect(log().lastIndexOf('fsync a')).toBe(log().length - 1)
  })

  it('waits for nothing where a power cut loses everything anyway', async () => {
    const { root } = subject
    const destination = localDestination({ root, volume: { ...diskVolume, volatile: true }, holder: 'run' })
    await destination.put('a/b.jpg', sourceOf(content(10)), call())
    expect(log()).toEqual(['name a/b.jpg'])
  })

  it('stores nothing whose content could not be made durable', async () => {
    faults.fsync = (path) => (path.includes('.lumina') ? 'EIO' : undefined)
    const error = await failureOf(put('a.jpg'))
    expect(error).toMatchObject({ code: 'io', retry: 'transient' })
    expect(await subject.destination.stat('a.jpg', call())).toBeUndefined()
    expect(subject.halves()).toEqual([])
  })

  it('does not finish a transfer whose content could not be made durable, and keeps it', async () => {
    const source = sourceOf(content(10))
    const token = (await subject.destination.resumable?.begin('a.jpg', source, call())) ?? {}
    await subject.destination.resumable?.append(token, source, 0, call())
    faults.fsync = () => 'EIO'
    expect(await codeOf(subject.destination.resumable?.finish(token, 'a.jpg', source, call()))).toBe('io')
    expect(await subject.destination.stat('a.jpg', call())).toBeUndefined()
    faults.fsync = undefined
    await subject.destination.resumable?.finish(token, 'a.jpg', source, call())
    expect(await collect(subject.destination.get?.('a.jpg', 0, call()))).toEqual(Buffer.from(content(10)))
  })

  it('does not confirm a name that could not be made durable', async () => {
    await put('a/0.jpg')
    faults.fsync = (path) => (path.endsWith('a') ? 'EIO' : undefined)
    expect(await codeOf(put('a/1.jpg'))).toBe('io')
    // the next try finds its own work: the pipeline compares contents
    faults.fsync = undefined
    expect(await codeOf(put('a/1.jpg'))).toBe('key-taken')
  })

  it.each(['EINVAL', 'ENOTSUP', 'EBADF'])('makes do with a file system that flushes no folder (%s)', async (code) => {
    faults.fsync = (path) => (path.includes('.lumina') ? undefined : code)
    await put('a/b.jpg')
  })

  it('fails, and does not crash, when the folder goes before it can be flushed', async () => {
    faults.named = () => rmSync(join(subject.root, 'a'), { recursive: true })
    expect(await codeOf(put('a/b/c.jpg'))).toBe('destination-missing')
  })
})

describe('local, errors of the disk', () => {
  let subject: LocalSubject
  beforeEach(() => {
    subject = localSubject()
  })
  afterEach(() => subject.dispose?.())

  it.each([
    ['ENOSPC', 'destination-full', 'never'],
    ['EDQUOT', 'destination-full', 'never'],
    ['EFBIG', 'too-large', 'never'],
    ['EROFS', 'destination-read-only', 'never'],
    ['ESTALE', 'destination-missing', 'never'],
    ['EIO', 'io', 'transient'],
  ])('%s in the middle of a file is %s, and leaves nothing', async (code, expected, retry) => {
    let writes = 0
    faults.write = () => (writes++ === 2 ? code : undefined)
    const error = await failureOf(subject.destination.put('a.jpg', sourceOf(content(1_000_000)), call()))
    expect(error).toMatchObject({ code: expected, retry })
    expect(await subject.destination.stat('a.jpg', call())).toBeUndefined()
    expect(subject.halves()).toEqual([])
  })
})

describe('local, without hard links', () => {
  let subject: LocalSubject
  beforeEach(() => {
    subject = localSubject()
    faults.link = 'EPERM'
  })
  afterEach(() => subject.dispose?.())
  const put = () => subject.destination.put('a/b.jpg', sourceOf(content(10)), call())

  it('says so, once', async () => {
    const { root } = subject
    const notices: string[] = []
    const notice = (code: string): unknown => notices.push(code)
    const destination = localDestination({ root, volume: diskVolume, holder: 'run', notice })
    for (const key of ['a', 'b', 'c']) await destination.put(key, sourceOf(content(10)), call())
    expect(notices).toEqual(['no-hard-links'])
  })

  /** Where the name of `a/b.jpg` is reserved. */
  const reservation = async (): Promise<string> => {
    await put()
    await subject.destination.remove?.('a/b.jpg', call())
    return faults.reservation
  }

  it('takes the place of a process that died while it reserved the name', async () => {
    const path = await reservation()
    writeFileSync(path, '')
    utimesSync(path, new Date(0), new Date(0))
    await put()
    expect(subject.halves()).toEqual([])
  })

  it('waits its turn for a name that another process reserves', async () => {
    const path = await reservation()
    writeFileSync(path, '')
    const putting = put()
    setTimeout(() => rmSync(path), 50)
    await putting
    expect(subject.halves()).toEqual([])
  })

  it('asks to be tried again when that process does not come to an end', async () => {
    writeFileSync(await reservation(), '')
    const error = await failureOf(put())
    expect(error).toMatchObject({ code: 'destination-busy', retry: 'transient' })
    expect(await subject.destination.stat('a/b.jpg', call())).toBeUndefined()
  })
})
