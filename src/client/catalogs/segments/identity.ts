import { createHash, randomUUID } from 'node:crypto'

import { type ErrorCode, LuminaError } from '../../../errors.ts'
import type { CallContext, Destination, Key } from '../../destination.ts'
import { type Bucket, bucketOf } from './bucket.ts'

export interface SegmentsIdentity {
  id: string
  /** What others have recorded can be read. Else the catalog is what this machine has stored itself. */
  readable: boolean
}

export interface SegmentsPlace {
  destination: Destination
  /** Where the catalog lies in it. */
  folder?: Key
  call?: CallContext
}

export const defaultFolder = '.lumina/catalog'

/**
 * What the catalog in a bucket is, made known there by whoever comes first; undefined where there is none, unless it is to be made.
 * A bucket that shows nothing to those who may not read it is no empty one: what is there already can't be made again.
 */
export async function segmentsIdentity(
  { destination, folder = defaultFolder, call }: SegmentsPlace,
  { make, random = randomUUID }: { make: boolean; random?: () => string },
): Promise<SegmentsIdentity | undefined> {
  const bucket = bucketOf(destination, call)
  const path = `${folder}/id.json`
  const there = await idAt(bucket, path)
  if (there !== undefined || !make) return there === undefined ? undefined : { id: there, readable: bucket.readable }
  try {
    await bucket.put(path, `${JSON.stringify({ id: random(), version: 1 })}\n`)
  } catch (error) {
    if (!(error instanceof LuminaError) || !byOthers.has(error.code)) throw error
  }
  // whoever else has made it meanwhile: what can be read there now is what all the others will read
  const made = await idAt(bucket, path)
  if (made !== undefined) return { id: made, readable: bucket.readable }
  return { id: `unread-${digestOf(`${destination.name}/${folder}`)}`, readable: false }
}

/** How a put ends whose key somebody else has taken before, or while it went on: not every service is atomic. */
const byOthers: ReadonlySet<ErrorCode> = new Set(['key-taken', 'unconfirmed', 'checksum-mismatch'])

const longestIdBytes = 4096

async function idAt(bucket: Bucket, path: Key): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  const found = await bucket.read(path, (chunk) => {
    bytes += chunk.length
    if (bytes <= longestIdBytes) chunks.push(Buffer.from(chunk))
  })
  return found ? idIn(Buffer.concat(chunks).toString()) : undefined
}

/** The id becomes a file name on this machine; what is none is still the same for all who read it. */
function idIn(text: string): string {
  try {
    const { id } = JSON.parse(text) as { id?: unknown }
    if (typeof id === 'string' && /^[0-9a-z][0-9a-z-]{7,63}$/.test(id)) return id
  } catch {
    // as any other text that is none
  }
  return digestOf(text)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
