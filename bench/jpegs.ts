import { createCipheriv, createHash } from 'node:crypto'
import { closeSync, futimesSync, openSync, writeSync } from 'node:fs'

/** The next so many bytes of an endless, repeatable stream; no more than `pieceBytes` at once. */
export type Random = (bytes: number) => Buffer

const pieceBytes = 1024 * 1024
const zeros = Buffer.alloc(pieceBytes)

/** AES in counter mode: no compressor or deduplicator finds anything in it, and every machine gets the same. */
export function randomFrom(seed: string): Random {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  return (bytes) => cipher.update(zeros.subarray(0, bytes))
}

export function randomBetween(random: Random, min: number, max: number): number {
  return min + (random(4).readUInt32BE() % (max - min + 1))
}

// Start of image, JFIF, start of scan: whoever looks for EXIF has read enough, as in a real photo without any.
const head = Buffer.from('ffd8ffe000104a46494600010100000100010000ffda0008010100003f00', 'hex')
const tail = Buffer.from('ffd9', 'hex')
const smallestJpegBytes = head.length + tail.length

/** A file that is a JPEG by its first bytes, random in between, and some years old. */
export function writeJpeg(path: string, bytes: number, random: Random, mtimeSeconds: number): void {
  const file = openSync(path, 'wx')
  try {
    for (const piece of jpegPieces(bytes, random)) writeSync(file, piece)
    futimesSync(file, mtimeSeconds, mtimeSeconds)
  } finally {
    closeSync(file)
  }
}

function* jpegPieces(bytes: number, random: Random): Generator<Buffer> {
  const body = bytes - smallestJpegBytes
  if (body <= pieceBytes) yield Buffer.concat([head, random(body), tail])
  else yield* largeJpegPieces(body, random)
}

function* largeJpegPieces(body: number, random: Random): Generator<Buffer> {
  yield head
  for (let left = body; left > 0; left -= pieceBytes) yield random(Math.min(left, pieceBytes))
  yield tail
}
