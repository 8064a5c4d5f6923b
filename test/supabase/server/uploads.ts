import { createHash, type Hash } from 'node:crypto'
import { rename, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { FileStore, MemoryConfigstore } from '@tus/file-store'
import { Upload } from '@tus/server'

import { digest } from './store.ts'
import type { Received } from './store.ts'

interface Progress {
  hash: Hash
  hashedBytes: number
}

/** Uploads under way, a file each. What has been finished is remembered as whole, and its file is somebody else's. */
export class UploadStore extends FileStore {
  readonly #progress = new Map<string, Progress>()
  readonly #finished = new Map<string, Upload>()

  readonly #brokenOff = new Map<string, () => boolean>()
  #oldestMs: number | undefined
  readonly #partBytes: number | undefined

  constructor(directory: string, expiryMs: number, partBytes: number | undefined) {
    super({ directory, configstore: new MemoryConfigstore(), expirationPeriodInMilliseconds: expiryMs })
    this.#partBytes = partBytes
  }

  override async write(readable: Readable, id: string, offset: number): Promise<number> {
    const progress = this.#progress.get(id) ?? { hash: createHash('md5'), hashedBytes: 0 }
    // a write that broke off may have been hashed further than it was written: such a sum is made anew at the end
    const inOrder = progress.hashedBytes === offset
    if (!inOrder) progress.hashedBytes = Number.NaN
    this.#progress.set(id, progress)
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (inOrder) {
          progress.hash.update(chunk)
          progress.hashedBytes += chunk.length
        }
        done(null, chunk)
      },
    })
    readable.once('error', (error) => tap.destroy(error))
    const written = await super.write(readable.pipe(tap), id, offset)
    return this.#partBytes !== undefined && this.#brokenOff.get(id)?.() === true
      ? this.#dropHalfPart(id, offset, written, this.#partBytes)
      : written
  }

  /** `brokenOff` tells of the request that holds the upload from now on whether its connection is gone. */
  heldBy(id: string, brokenOff: () => boolean): void {
    this.#brokenOff.set(id, brokenOff)
  }

  async #dropHalfPart(id: string, offset: number, written: number, partBytes: number): Promise<number> {
    const kept = written - ((written - offset) % partBytes)
    await truncate(join(this.directory, id), kept)
    return kept
  }

  override async getUpload(id: string): Promise<Upload> {
    return this.#finished.get(id) ?? super.getUpload(id)
  }

  /** Takes the file of a whole upload to `path`. */
  async finish(upload: Upload, path: string): Promise<Received> {
    const bytes = upload.offset
    const progress = this.#progress.get(upload.id)
    // before its file goes: somebody may ask at any time
    this.#remember(upload)
    await rename(join(this.directory, upload.id), path)
    await this.configstore.delete(upload.id)
    const md5 = progress?.hashedBytes === bytes ? progress.hash.digest('hex') : await digest(path, 'md5')
    this.#progress.delete(upload.id)
    return { path, bytes, md5 }
  }

  isFinished(id: string): boolean {
    return this.#finished.has(id)
  }

  #remember({ id, offset, metadata, creation_date }: Upload): void {
    const known = { ...(metadata && { metadata }), ...(creation_date !== undefined && { creation_date }) }
    this.#finished.set(id, new Upload({ id, size: offset, offset, ...known }))
  }

  override async create(upload: Upload): Promise<Upload> {
    this.#oldestMs ??= Date.now()
    return super.create(upload)
  }

  /** Forgets what has expired, as the service does from time to time. */
  async sweep(): Promise<void> {
    const expiry = this.getExpiration()
    if (this.#oldestMs === undefined || Date.now() <= this.#oldestMs + expiry) return
    await this.deleteExpired()
    for (const [id, upload] of this.#finished)
      if (Date.parse(upload.creation_date ?? '') + expiry < Date.now()) this.#finished.delete(id)
  }
}
