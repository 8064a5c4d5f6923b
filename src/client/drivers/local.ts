import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
  type Stats,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { dirname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'

import { LuminaError, systemCode } from '../../errors.ts'
import type { Volume } from '../../state/volume.ts'
import type { CallContext, Destination, Key, ResumeToken, Source, StoredObject } from '../destination.ts'
import { failure } from '../failure.ts'
import { Folders } from './local/folders.ts'
import { Publisher } from './local/publish.ts'
import { type Reservation, Space } from './local/space.ts'

/** Best of 64 KiB to 4 MiB for read and hash in one pass: reference/performance.md, "SHA-256 over D1s". */
const chunkBytes = 256 * 1024
/** A transfer below this is begun again sooner than its token is written. */
const resumableMinBytes = 16 * 1024 * 1024
const systemFolder = '.lumina'
const leavesFolder = /(?:^|\/)\.{0,2}(?:\/|$)/

export interface LocalOptions {
  /** The library's folder: absolute, existing, with `.lumina/tmp` in it. */
  root: string
  volume: Volume
  /** Names this run's folder of temporary files, so that the same run, started again, finds and clears its own. */
  holder: string
  /** Bytes in flight in all lanes, in KiB: one shared Int32. */
  inFlight?: Int32Array
  /** Tells temporary files of several lanes apart. */
  lane?: number
  /** Told once, when the file system turns out to have no hard links. */
  notice?: (code: string, message: string) => void
}

/** Objects as files under their keys. Everything half lives in `.lumina/tmp` until it is whole, flushed and named. */
export function localDestination(options: LocalOptions): Destination {
  const { root, volume } = options
  const tempFolder = join(root, systemFolder, 'tmp', options.holder)
  const durable = !volume.volatile
  const folders = new Folders(root, durable)
  const publisher = new Publisher(join(root, systemFolder), () =>
    options.notice?.(
      'no-hard-links',
      `The file system of ${root} (${volume.type}) has no hard links: names are guarded against other Luminas, not against other programs that write there.`,
    ),
  )
  const space = new Space(root, options.inFlight)
  const buffers = new Buffers()
  // in a container, every run has the same process id
  const run = randomBytes(4).toString('hex')
  let temps = 0

  const pathOf = (key: Key): string => {
    // keys come from catalogs too, and a library may come from anywhere
    if (leavesFolder.test(key)) throw new LuminaError('key-invalid', `${key} is no key.`)
    return `${root}/${key}`
  }
  const nextTemp = (): string => `${options.lane ?? 0}-${run}-${temps++}`
  const tempPath = (name: string): string => `${tempFolder}/${name}`

  /** Sends `source` from `offset` into an open file; the buffer is this transfer's own, since a read may take its time. */
  async function pour(
    fd: number,
    source: Source,
    offset: number,
    room: Reservation,
    ctx: CallContext,
  ): Promise<number> {
    const buffer = buffers.take()
    let at = offset
    try {
      while (at < source.bytes) {
        ctx.checkpoint()
        const read = source.read(buffer, at)
        const got = typeof read === 'number' ? read : await read
        if (got === 0) break
        for (let written = 0; written < got;) written += writeSync(fd, buffer, written, got - written, at + written)
        at += got
        room.wrote(got)
        ctx.progress?.(at)
      }
      return at
    } finally {
      buffers.give(buffer)
    }
  }

  function settle(fd: number, source: Source): void | Promise<void> {
    if (source.modifiedMs !== undefined) futimesSync(fd, source.modifiedMs / 1000, source.modifiedMs / 1000)
    if (fstatSync(fd).size !== source.bytes) throw changed(source)
    return durable ? flush(fd) : undefined
  }

  async function publish(temp: string, key: Key, bytes: number): Promise<StoredObject> {
    const target = pathOf(key)
    const folder = dirname(target)
    makeFolder(folder)
    try {
      await publisher.publish(temp, target)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      // the folder was removed behind our back
      folders.forget(folder)
      makeFolder(folder)
      await publisher.publish(temp, target)
    }
    if (durable) await folders.sync(folder)
    return { key, bytes }
  }

  function putHeld(key: Key, content: Uint8Array, modifiedMs: number): StoredObject {
    const room = space.reserve(content.length)
    const temp = tempPath(nextTemp())
    try {
      writeHeld(temp, content, modifiedMs)
      const target = pathOf(key)
      makeFolder(dirname(target))
      if (!publisher.link(temp, target))
        throw new LuminaError('io', `${root} has no hard links.`, { retry: 'transient' })
      return { key, bytes: content.length }
    } catch (error) {
      rmSync(temp, { force: true })
      throw failure(error, key)
    } finally {
      room.release()
    }
  }

  function makeFolder(folder: string): void {
    try {
      folders.make(folder)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
      throw new LuminaError('key-invalid', `${folder} is a file, where a folder is needed.`)
    }
  }

  function openTemp(token: ResumeToken, flags: number): number {
    try {
      return openSync(tempPath(tempName(token['temp'])), flags)
    } catch (error) {
      throw systemCode(error) === 'ENOENT' ? forgotten() : error
    }
  }

  /** Runs `work`, and tells what its system errors mean for the run. */
  async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw failure(error, what)
    }
  }

  return {
    name: root,
    traits: {
      atomicNoClobber: true,
      keyAtFinish: true,
      maxObjectBytes: volume.maxFileBytes,
      checksum: 'none',
      keyRules: { maxSegmentBytes: 255, maxKeyBytes: 4000 - Buffer.byteLength(root) },
    },

    stat: (key) =>
      guarded(key, async () => {
        const stats = statOf(pathOf(key))
        // something that is no file takes the key all the same: no content is ever -1 bytes long
        return stats && { key, bytes: stats.isFile() ? stats.size : -1, modifiedMs: stats.mtimeMs }
      }),

    put: (key, source, ctx) =>
      guarded(key, async () => {
        const room = space.reserve(source.bytes)
        const temp = tempPath(nextTemp())
        try {
          const fd = openSync(temp, 'wx')
          try {
            if ((await pour(fd, source, 0, room, ctx)) !== source.bytes) throw changed(source)
            const settled = settle(fd, source)
            if (settled) await settled
          } finally {
            closeSync(fd)
          }
          return await publish(temp, key, source.bytes)
        } catch (error) {
          rmSync(temp, { force: true })
          throw error
        } finally {
          room.release()
        }
      }),

    // what a disk has to flush takes a wait
    ...(!durable && { putHeld }),

    get: (key, from) => chunks(pathOf(key), key, from, buffers),

    move: (from, to) =>
      guarded(from, async () => {
        const stats = statOf(pathOf(from))
        if (!stats?.isFile()) throw missing(from)
        await publish(pathOf(from), to, stats.size)
        if (durable) await folders.sync(dirname(pathOf(from)))
      }),

    list: (prefix) => listed(list(root, prefix), root),

    remove: (key) => guarded(key, async () => rmSync(pathOf(key), { force: true })),

    freeBytes: async () => space.freeBytes(),

    resumable: {
      minBytes: resumableMinBytes,
      begin: (key) =>
        guarded(key, async () => {
          const temp = nextTemp()
          closeSync(openSync(tempPath(temp), 'wx'))
          return { temp }
        }),
      offset: (token, source, ctx) =>
        guarded(String(token['temp']), async () => {
          const path = tempPath(tempName(token['temp']))
          if (!statOf(path)?.isFile()) return undefined
          return commonPrefix(path, source, ctx, buffers)
        }),
      append: (token, source, offset, ctx) =>
        guarded(String(token['temp']), async () => {
          const fd = openTemp(token, constants.O_WRONLY)
          try {
            const held = fstatSync(fd).size
            // a hole would count as bytes, and be zeros
            if (held < offset)
              throw new LuminaError('io', `Only ${held} bytes are there to go on from.`, { retry: 'transient' })
            const room = space.reserve(source.bytes - offset)
            return await pour(fd, source, offset, room, ctx).finally(() => room.release())
          } finally {
            closeSync(fd)
          }
        }),
      finish: (token, key, source) =>
        guarded(key, async () => {
          const temp = tempPath(tempName(token['temp']))
          const fd = openTemp(token, constants.O_RDWR)
          try {
            const settled = settle(fd, source)
            if (settled) await settled
          } finally {
            closeSync(fd)
          }
          return publish(temp, key, source.bytes)
        }),
      abort: (token) =>
        guarded(String(token['temp']), async () => rmSync(tempPath(tempName(token['temp'])), { force: true })),
    },
  }
}

const flush = promisify(fsync)

function writeHeld(path: string, content: Uint8Array, modifiedMs: number): void {
  const fd = openSync(path, 'wx')
  try {
    for (let at = 0; at < content.length;) at += writeSync(fd, content, at, content.length - at, at)
    futimesSync(fd, modifiedMs / 1000, modifiedMs / 1000)
  } finally {
    closeSync(fd)
  }
}

/** A token comes from a file: it names a temporary file, never a path. */
function tempName(value: string | number | undefined): string {
  if (typeof value !== 'string' || !/^[\w-]+$/.test(value)) throw forgotten()
  return value
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function changed(source: Source): LuminaError {
  return new LuminaError('changed-while-reading', `The file gave other than its ${source.bytes} bytes.`, {
    retry: 'transient',
  })
}

function forgotten(): LuminaError {
  return new LuminaError('not-found', 'The transfer is not known any more.')
}

function missing(key: Key): LuminaError {
  return new LuminaError('not-found', `There is no ${key}.`)
}

function unreadable(key: Key, cause: unknown): LuminaError {
  return new LuminaError('unreadable', `What the library holds as ${key} can't be read.`, {
    cause,
    hint: 'Check its permissions.',
  })
}

/** Buffers for transfers that overlap: as many as there were at once, and never more. */
class Buffers {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes)
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}

/** How far the file at `path` is the beginning of `source`; what lies beyond is cut off. */
async function commonPrefix(path: string, source: Source, ctx: CallContext, buffers: Buffers): Promise<number> {
  const fd = openSync(path, constants.O_RDWR)
  const ours = buffers.take()
  const theirs = buffers.take()
  let at = 0
  try {
    const held = Math.min(fstatSync(fd).size, source.bytes)
    while (at < held) {
      ctx.checkpoint()
      const want = Math.min(chunkBytes, held - at)
      const got = readSync(fd, ours, 0, want, at)
      const read = source.read(theirs.subarray(0, got), at)
      const length = typeof read === 'number' ? read : await read
      if (length === 0) break
      if (ours.compare(theirs, 0, length, 0, length) !== 0) break
      at += length
    }
    ftruncateSync(fd, at)
    return at
  } finally {
    closeSync(fd)
    buffers.give(ours)
    buffers.give(theirs)
  }
}

async function* chunks(path: string, key: Key, from: number, buffers: Buffers): AsyncGenerator<Uint8Array> {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') throw missing(key)
    // one object that is not ours to read says nothing of the others
    throw code === 'EACCES' || code === 'EPERM' ? unreadable(key, error) : failure(error, key)
  }
  const buffer = buffers.take()
  try {
    if (!fstatSync(fd).isFile()) throw missing(key)
    for (let at = from; ;) {
      const got = readSync(fd, buffer, 0, chunkBytes, at)
      if (got === 0) return
      yield buffer.subarray(0, got)
      at += got
    }
  } catch (error) {
    throw failure(error, key)
  } finally {
    closeSync(fd)
    buffers.give(buffer)
  }
}

async function* listed(objects: AsyncIterable<StoredObject>, root: string): AsyncGenerator<StoredObject> {
  try {
    yield* objects
  } catch (error) {
    throw failure(error, root)
  }
}

async function* list(root: string, prefix: Key): AsyncGenerator<StoredObject> {
  const pending = [root]
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const below: string[] = []
    for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name)
      const key = relative(root, path).split(sep).join('/')
      if (key === systemFolder) continue
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) below.push(path)
      } else if (entry.isFile() && key.startsWith(prefix)) {
        const stats = statOf(path)
        if (stats) yield { key, bytes: stats.size, modifiedMs: stats.mtimeMs }
      }
    }
    pending.push(...below.toReversed())
  }
}
