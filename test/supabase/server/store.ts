import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { refusals } from './errors.ts'

export interface BucketOptions {
  fileSizeLimit?: number
  /** Compared as they are written; `image/*` stands for all of them. */
  allowedMimeTypes?: readonly string[]
  public?: boolean
}

/** An object as a test sees it. */
export interface StoredFile {
  readonly id: string
  readonly version: string
  readonly bytes: number
  /** Quoted, as it is sent. */
  readonly etag: string
  readonly type: string
  readonly cacheControl: string
  readonly metadata: Record<string, unknown> | undefined
  readonly owner: string | undefined
  /** Where its content lies. */
  readonly path: string
  readonly createdAt: Date
  readonly updatedAt: Date
  sha256(): Promise<string>
}

/** What a request tells of an object, beside its bytes. */
export interface Described {
  type: string
  cacheControl: string
  metadata?: Record<string, unknown> | undefined
  owner?: string | undefined
}

/** A whole content that no name has yet. */
export interface Received {
  path: string
  bytes: number
  /** Hex digits. */
  md5: string
}

export interface Bucket extends BucketOptions {
  readonly name: string
  readonly createdAt: Date
  readonly objects: Map<string, StoredFile>
}

export type Etag = 'md5' | 'multipart'

const multipartBytes = 5 * 1024 * 1024

/** Contents as files of one folder, names in memory. An object becomes visible in one step, whole. */
export class Store {
  readonly buckets = new Map<string, Bucket>()
  readonly #folder: string
  readonly #etag: Etag

  constructor(folder: string, etag: Etag) {
    this.#folder = folder
    this.#etag = etag
  }

  createBucket(name: string, options: BucketOptions = {}): Bucket {
    if (this.buckets.has(name)) throw refusals.bucketAlreadyExists()
    const bucket = { ...options, name, createdAt: new Date(), objects: new Map<string, StoredFile>() }
    this.buckets.set(name, bucket)
    return bucket
  }

  bucket(name: string): Bucket {
    const bucket = this.buckets.get(name)
    if (!bucket) throw refusals.noSuchBucket()
    return bucket
  }

  /** Takes a body to its end. One that breaks off leaves nothing. */
  async receive(body: Readable): Promise<Received> {
    const path = this.newPath()
    const hash = createHash('md5')
    let bytes = 0
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        hash.update(chunk)
        done(null, chunk)
      },
    })
    try {
      await pipeline(body, tap, createWriteStream(path, { flags: 'wx' }))
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
    return { path, bytes, md5: hash.digest('hex') }
  }

  newPath(): string {
    return join(this.#folder, randomUUID())
  }

  /** Gives `received` a name, whatever had it before: who asked first whether it was free, was told the truth of then. */
  async publish(bucket: Bucket, key: string, received: Received, described: Described): Promise<StoredFile> {
    const { path, bytes, md5 } = received
    const before = bucket.objects.get(key)
    const updatedAt = new Date()
    const file: StoredFile = {
      id: before?.id ?? randomUUID(),
      version: randomUUID(),
      bytes,
      etag: this.#etagOf(received),
      type: described.type,
      cacheControl: described.cacheControl,
      metadata: described.metadata,
      owner: described.owner,
      path,
      createdAt: before?.createdAt ?? updatedAt,
      updatedAt,
      sha256: () => digest(path, 'sha256'),
    }
    md5OfFile.set(file, md5)
    bucket.objects.set(key, file)
    if (before) await rm(before.path, { force: true })
    return file
  }

  async copy(from: StoredFile, bucket: Bucket, key: string): Promise<StoredFile> {
    const path = this.newPath()
    await copyFile(from.path, path)
    const md5 = md5OfFile.get(from) ?? (await digest(path, 'md5'))
    return this.publish(bucket, key, { path, bytes: from.bytes, md5 }, from)
  }

  async remove(bucket: Bucket, key: string): Promise<StoredFile | undefined> {
    const file = bucket.objects.get(key)
    if (!file) return undefined
    bucket.objects.delete(key)
    await rm(file.path, { force: true })
    return file
  }

  #etagOf({ bytes, md5 }: Received): string {
    if (this.#etag === 'md5') return `"${md5}"`
    const ofParts = createHash('md5').update(Buffer.from(md5, 'hex')).digest('hex')
    return `"${ofParts}-${Math.max(1, Math.ceil(bytes / multipartBytes))}"`
  }
}

const md5OfFile = new WeakMap<StoredFile, string>()

/** Hex digits of a file's content. */
export async function digest(path: string, algorithm: 'md5' | 'sha256'): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
