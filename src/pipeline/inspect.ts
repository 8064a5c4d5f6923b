import { hash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'

import { classOf, isPhoto, claimedKind, type Kind } from '../hash/kinds.ts'
import { sniff, sniffRare } from '../hash/sniff.ts'
import type { Item } from './item.ts'
import { unknownKind } from './outcomes.ts'
import { changed, checkUnchanged, openAsset, sourceFailure } from './source.ts'

/** What a catalog remembers of a large file's beginning: see `Probe`. */
const probeBytes = 4096
/** Enough for every kind: `sniff` wants 4 KiB, and more of it tells MPO from JPEG behind large metadata. */
const headBytes = 64 * 1024

/** A lane's buffer for the small files of one batch, given out from the front. */
export class Arena {
  readonly #buffer: Uint8Array
  #used = 0

  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes)
  }

  /** Undefined when it is full. */
  take(bytes: number): Uint8Array | undefined {
    if (this.#used + bytes > this.#buffer.length) return undefined
    this.#used += bytes
    return this.#buffer.subarray(this.#used - bytes, this.#used)
  }

  clear(): void {
    this.#used = 0
  }
}

const head = Buffer.allocUnsafeSlow(headBytes)

/**
 * Opens a file once and learns what one small read can tell: its kind, and for a small file its digest, with its bytes kept for the
 * transfer. Of a file that will not go up, only the beginning is read.
 * @throws `unreadable`, `vanished`, `changed-while-reading`
 */
export function inspect(item: Item, arena: Arena, heldBytes: number, allFiles: boolean): void | Promise<void> {
  const { file } = item
  const { bytes } = file.stamp
  const fd = openAsset(file.path)
  const room = bytes <= heldBytes ? arena.take(bytes) : undefined
  const beginning = room ?? head.subarray(0, Math.min(bytes, headBytes))
  try {
    readWhole(fd, beginning, file.path)
    checkUnchanged(fd, file)
  } finally {
    closeSync(fd)
  }
  if (!room) item.head = probeOf(beginning)
  const kind = sniff(beginning, bytes)
  if (kind === undefined && mayBeRare(item.member.name)) {
    // the larger sniffer takes its time, in which the next batch may use the same buffer
    return sniffRare(room ?? Buffer.from(beginning)).then((rare) => settle(item, rare, room, allFiles))
  }
  settle(item, kind, room, allFiles)
  return undefined
}

function settle(item: Item, kind: Kind | undefined, room: Uint8Array | undefined, allFiles: boolean): void {
  item.kind = kind ?? unknownKind
  item.found.kind = item.kind
  if (!room || !goesUp(item, allFiles)) return
  item.held = room
  item.digest = hash('sha256', room, 'hex')
}

function probeOf(beginning: Uint8Array): string {
  return hash('sha256', beginning.subarray(0, probeBytes), 'hex').slice(0, 16)
}

/** Whether an asset of this kind may go up: sidecars only beside a photo, which its group decides. */
function goesUp(item: Item, allFiles: boolean): boolean {
  return allFiles || isPhoto(item.kind) || classOf(item.kind ?? unknownKind) === 'sidecar'
}

/** Only a name that claims a photo, or claims nothing, is worth the larger sniffer. */
function mayBeRare(name: string): boolean {
  const claim = claimedKind(name)
  return claim === undefined || isPhoto(claim)
}

function readWhole(fd: number, into: Uint8Array, path: string): void {
  for (let at = 0; at < into.length;) {
    let got: number
    try {
      got = readSync(fd, into, at, into.length - at, at)
    } catch (error) {
      throw sourceFailure(error, path)
    }
    if (got === 0) throw changed(path)
    at += got
  }
}
