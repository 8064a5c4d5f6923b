import { hash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'

import { classOf, isPhoto, claimedKind } from '../hash/kinds.ts'
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
export async function inspect(item: Item, arena: Arena, heldBytes: number, allFiles: boolean): Promise<void> {
  const { file } = item
  const { bytes } = file.stamp
  const fd = openAsset(file.path)
  try {
    const room = bytes <= heldBytes ? arena.take(bytes) : undefined
    const beginning = room ?? head.subarray(0, Math.min(bytes, headBytes))
    readWhole(fd, beginning, file.path)
    checkUnchanged(fd, file)
    if (!room) item.head = probeOf(beginning)
    // the larger sniffer takes its time, in which the next batch may use the same buffer
    item.kind = sniff(beginning, bytes) ?? (await rareKind(item, beginning)) ?? unknownKind
    item.found = { ...item.found, kind: item.kind }
    if (room && goesUp(item, allFiles)) {
      item.held = room
      item.digest = hash('sha256', room, 'hex')
    }
  } finally {
    closeSync(fd)
  }
}

function probeOf(beginning: Uint8Array): string {
  return hash('sha256', beginning.subarray(0, probeBytes), 'hex').slice(0, 16)
}

/** Whether an asset of this kind may go up: sidecars only beside a photo, which its group decides. */
export function goesUp(item: Item, allFiles: boolean): boolean {
  return allFiles || isPhoto(item.kind) || classOf(item.kind ?? unknownKind) === 'sidecar'
}

/** Only a name that claims a photo, or claims nothing, is worth the larger sniffer. */
async function rareKind({ member }: Item, beginning: Uint8Array): Promise<string | undefined> {
  const claim = claimedKind(member.name)
  return claim === undefined || isPhoto(claim) ? sniffRare(Buffer.from(beginning)) : undefined
}

function readWhole(fd: number, into: Uint8Array, path: string): void {
  for (let at = 0; at < into.length; ) {
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
