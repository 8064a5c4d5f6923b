import { createHash, type Hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

import type { Sha256, Source } from '../client/destination.ts'
import { LuminaError, systemCode } from '../errors.ts'
import type { Kind } from '../events.ts'
import { osPath } from '../os-path.ts'
import type { FileStamp } from '../state/ledger.ts'

const catchUpBytes = 256 * 1024
/** O_NONBLOCK: a FIFO that took a file's place must not hold a lane for ever. */
const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

/** Whether two looks saw the same, unchanged file. */
export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.bytes === b.bytes && a.mtimeUs === b.mtimeUs && a.ctimeUs === b.ctimeUs && a.inode === b.inode
}

/** `stableInodes`: see `Volume`. An inode beyond 2^53 is folded, since it is only ever compared. */
export function stampOf(stats: Stats, stableInodes: boolean): FileStamp {
  return {
    bytes: stats.size,
    mtimeUs: clamp(Math.round(stats.mtimeMs * 1000)),
    ctimeUs: stableInodes ? clamp(Math.round(stats.ctimeMs * 1000)) : 0,
    inode: stableInodes ? stats.ino % Number.MAX_SAFE_INTEGER : 0,
  }
}

/** The ledger holds what a double can: a file dated beyond 2255 is compared by that date. */
function clamp(us: number): number {
  return Math.min(Math.max(us, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}

/** What a destination may keep beside the bytes. */
export type Notes = Pick<Source, 'name' | 'takenAt'>

export interface AssetFile {
  path: string
  stamp: FileStamp
  stableInodes: boolean
}

/** What a system error at a source file means for that one asset. */
export function sourceFailure(error: unknown, path: string): unknown {
  if (error instanceof LuminaError) return error
  const code = systemCode(error)
  if (code === undefined) return error
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESTALE') {
    return new LuminaError('vanished', `${path} vanished before it was read.`, { cause: error })
  }
  const hint = code === 'EACCES' || code === 'EPERM' ? 'Check its permissions.' : 'Check the disk or card it lies on.'
  return new LuminaError('unreadable', `${path} can't be read (${code}).`, { cause: error, hint })
}

/** @throws `unreadable`, `vanished` */
export function openAsset(path: string): number {
  try {
    return openSync(osPath(path), openFlags)
  } catch (error) {
    throw sourceFailure(error, path)
  }
}

/** @throws `changed-while-reading`, to be tried again with a fresh stamp, when the open file is not the one that was found. */
export function checkUnchanged(fd: number, file: AssetFile): void {
  const stats = fstatSync(fd)
  if (!stats.isFile() || !sameStamp(stampOf(stats, file.stableInodes), file.stamp)) throw changed(file.path)
}

export function changed(path: string): LuminaError {
  return new LuminaError('changed-while-reading', `${path} changed while it was read.`, {
    retry: 'transient',
    hint: 'Run the same command again when nothing writes to it.',
  })
}

/**
 * A file as a `Source` that hashes each of its bytes once, in the pass that reads them first, and fails on the last of them when the
 * file is not, any more, what was found: another size or time, or bytes other than `expected`.
 */
export class FileSource implements Source {
  readonly bytes: number
  readonly kind: Kind
  readonly modifiedMs: number
  readonly digest?: Sha256
  readonly name?: string
  readonly takenAt?: string
  readonly #file: AssetFile
  readonly #fd: number
  readonly #hash: Hash = createHash('sha256')
  #hashed = 0
  #result: Sha256 | undefined

  constructor(file: AssetFile, fd: number, kind: Kind, expected?: Sha256, notes: Notes = {}) {
    this.#file = file
    this.#fd = fd
    this.bytes = file.stamp.bytes
    this.kind = kind
    this.modifiedMs = file.stamp.mtimeUs / 1000
    if (expected !== undefined) this.digest = expected
    if (notes.name !== undefined) this.name = notes.name
    if (notes.takenAt !== undefined) this.takenAt = notes.takenAt
  }

  read(into: Uint8Array, offset: number): number {
    // it has failed on its last byte before, and nothing makes it whole again
    if (this.#hashed === this.bytes && this.#hashed > 0 && this.#result === undefined) throw changed(this.#file.path)
    const wanted = Math.min(into.length, this.bytes - offset)
    if (wanted <= 0) return 0
    if (offset > this.#hashed) this.#catchUp(offset)
    const got = this.#readAt(into, wanted, offset)
    const fresh = offset + got - this.#hashed
    if (fresh > 0) this.#add(into.subarray(got - fresh, got))
    // a retry gives bytes that are hashed no more: they must be what they were
    else if (offset + got === this.bytes) checkUnchanged(this.#fd, this.#file)
    return got
  }

  /** SHA-256 of the whole, known once every byte was read. */
  get sha256(): Sha256 | undefined {
    return this.#result
  }

  /** Reads what nobody has asked for, so that the digest is whole: a resumed transfer starts in the middle. */
  finishHash(checkpoint: () => void): Sha256 {
    const chunk = scratch()
    if (this.bytes === 0) this.#result ??= this.#hash.digest('hex')
    while (this.#result === undefined) {
      checkpoint()
      this.read(chunk, this.#hashed)
    }
    return this.#result
  }

  #catchUp(offset: number): void {
    const chunk = scratch()
    while (this.#hashed < offset) {
      const got = this.#readAt(chunk, Math.min(chunk.length, offset - this.#hashed), this.#hashed)
      this.#add(chunk.subarray(0, got))
    }
  }

  #readAt(into: Uint8Array, length: number, offset: number): number {
    let got: number
    try {
      got = readSync(this.#fd, into, 0, length, offset)
    } catch (error) {
      throw sourceFailure(error, this.#file.path)
    }
    if (got === 0) throw changed(this.#file.path)
    return got
  }

  #add(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#hashed += bytes.length
    if (this.#hashed === this.bytes) this.#close()
  }

  #close(): void {
    checkUnchanged(this.#fd, this.#file)
    const digest = this.#hash.digest('hex')
    if (this.digest !== undefined && this.digest !== digest) throw changed(this.#file.path)
    this.#result = digest
  }
}

let catchUp: Uint8Array | undefined

function scratch(): Uint8Array {
  catchUp ??= Buffer.allocUnsafeSlow(catchUpBytes)
  return catchUp
}

/** A content that was read whole, and its digest taken from those very bytes. */
export function heldSource(
  content: Uint8Array,
  kind: Kind,
  modifiedMs: number,
  digest: Sha256,
  notes: Notes = {},
): Source {
  return {
    ...notes,
    bytes: content.length,
    kind,
    modifiedMs,
    digest,
    read(into, offset) {
      const length = Math.max(0, Math.min(into.length, content.length - offset))
      into.set(content.subarray(offset, offset + length))
      return length
    },
  }
}

/** Opens `file` as a source for as long as `use` takes. */
export async function withSource<T>(
  file: AssetFile,
  kind: Kind,
  expected: Sha256 | undefined,
  use: (source: FileSource) => Promise<T>,
  notes?: Notes,
): Promise<T> {
  const fd = openAsset(file.path)
  try {
    checkUnchanged(fd, file)
    return await use(new FileSource(file, fd, kind, expected, notes))
  } finally {
    closeSync(fd)
  }
}
