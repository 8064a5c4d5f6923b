/** Reads up to `length` bytes of a file from `offset`; fewer, or none, at its end. */
export type ReadAt = (offset: number, length: number) => Uint8Array | undefined

/** A file's bytes by offset. */
export interface Window {
  /**
   * The bytes from `offset`: `length` of them, or as many as can be had, or, where that saves a read, at least `enough`. None
   * for an offset that nobody can read.
   */
  read(offset: number, length: number, enough?: number): Uint8Array
}

/** Headers stand close together, so one block usually holds the next ones as well. */
const BLOCK_BYTES = 4096

/**
 * What a hostile length can make this read, and how often hostile offsets can: 16 MiB a file. A walk that only goes forward
 * ends by this, so the walks have no limits of their own.
 */
const MAX_READ_BYTES = 256 * 1024
const MAX_READS = 64

const NOTHING = new Uint8Array(0)

/** The head that is in memory, and the rest by `readAt` where there is one. What `readAt` throws is thrown on. */
export function windowOver(head: Uint8Array, readAt?: ReadAt): Window {
  let block: Uint8Array = NOTHING
  let blockAt = 0
  let reads = 0
  const fetch = (offset: number, length: number): Uint8Array => {
    if (readAt === undefined || reads++ >= MAX_READS) return NOTHING
    const asked = Math.min(MAX_READ_BYTES, Math.max(BLOCK_BYTES, length))
    return readAt(offset, asked)?.subarray(0, asked) ?? NOTHING
  }
  const read = (offset: number, length: number, enough = length): Uint8Array => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length <= 0) return NOTHING
    if (offset + enough <= head.length || readAt === undefined) return head.subarray(offset, offset + length)
    if (offset < blockAt || offset + enough > blockAt + block.length) {
      block = fetch(offset, length)
      blockAt = offset
    }
    return block.subarray(offset - blockAt, offset - blockAt + length)
  }
  return { read }
}
