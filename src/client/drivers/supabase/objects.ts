import { createHash, hash } from 'node:crypto'

import { LuminaError } from '../../../errors.ts'
import type { CallContext, Key, Source, StoredObject } from '../../destination.ts'
import { bufferBytes, buffers } from '../../http/buffers.ts'
import { type Answer, type Body, LostAnswer } from '../../http/exchange.ts'
import { changed, described } from './content.ts'
import { inUrl, keyOf, objectName } from './names.ts'
import { refusalOf } from './failure.ts'
import type { Call, Service } from './service.ts'

/** What the service knows of an object: its etag is the MD5 of its content, where it is one. */
interface Seen {
  bytes: number
  md5?: string
}

/** The objects of one bucket, each as one request. */
export class Objects {
  readonly bucket: string
  readonly #service: Service
  /** This login was shown something that lies there: what it does not see then is not there. */
  #maySee = false

  constructor(service: Service, bucket: string) {
    this.#service = service
    this.bucket = bucket
  }

  async look(key: Key, ctx: CallContext): Promise<Seen | undefined> {
    ctx.checkpoint()
    const answer = await this.#ask({ method: 'HEAD', path: this.#path(key), signal: ctx.signal })
    // HEAD has no body to tell more: what may not be seen, and what is not there, are one
    if (answer.status === 400 || answer.status === 404) return undefined
    if (answer.status >= 400) throw this.#service.refused(answer, key)
    this.#maySee = true
    const md5 = /^"?([0-9a-f]{32})"?$/.exec(String(answer.headers['etag'] ?? ''))?.[1]
    return { bytes: Number(answer.headers['content-length']), ...(md5 === undefined ? {} : { md5 }) }
  }

  async stat(key: Key, ctx: CallContext): Promise<StoredObject | undefined> {
    const seen = await this.look(key, ctx)
    return seen && { key, bytes: seen.bytes }
  }

  /** Compares what is stored with what was sent. A login that may not look has the service's word alone. */
  async confirm(key: Key, bytes: number, md5: string | undefined, ctx: CallContext): Promise<StoredObject> {
    const seen = await this.look(key, ctx)
    if (!seen) {
      if (!this.#maySee) return { key, bytes }
      throw new LuminaError('unconfirmed', `${this.#service.place} took ${key}, and does not have it.`, {
        retry: 'transient',
      })
    }
    if (seen.bytes !== bytes || (md5 !== undefined && seen.md5 !== undefined && seen.md5 !== md5))
      throw new LuminaError('checksum-mismatch', `What ${this.#service.place} holds as ${key} is not what was sent.`, {
        hint: 'Run the same command again; `lumina verify` compares every byte.',
      })
    return { key, bytes }
  }

  /** Whether `source`'s own content lies under `key`: by its digest, as it was noted when it was stored, and its size. */
  async isThere(key: Key, source: Source, ctx: CallContext): Promise<boolean> {
    if (source.digest === undefined) return false
    const answer = await this.#ask({ method: 'GET', path: `/object/info/${this.#named(key)}`, signal: ctx.signal })
    if (answer.status !== 200) return false
    try {
      const { size, metadata } = JSON.parse(answer.body.toString()) as { size?: number; metadata?: { digest?: string } }
      return size === source.bytes && metadata?.digest === source.digest
    } catch {
      return false
    }
  }

  /** Whole or nothing, never over another. */
  async put(key: Key, source: Source, ctx: CallContext): Promise<StoredObject> {
    ctx.checkpoint()
    const small = source.bytes <= bufferBytes
    const buffer = small ? buffers.take() : undefined
    try {
      return buffer
        ? await this.#putSmall(key, source, await readWhole(source, buffer, ctx), ctx)
        : await this.#putLarge(key, source, ctx)
    } finally {
      if (buffer) buffers.give(buffer)
    }
  }

  async #putSmall(key: Key, source: Source, content: Uint8Array, ctx: CallContext): Promise<StoredObject> {
    if (source.digest !== undefined && hash('sha256', content, 'hex') !== source.digest) throw changed()
    const stored = await this.#post(key, source, content, () => hash('md5', content, 'hex'), ctx)
    ctx.progress?.(source.bytes)
    return stored
  }

  async #putLarge(key: Key, source: Source, ctx: CallContext): Promise<StoredObject> {
    const md5 = createHash('md5')
    let hashed = 0
    const body: Body = {
      bytes: source.bytes,
      async read(into, at) {
        ctx.checkpoint()
        const got = await source.read(into, at)
        if (got === 0) throw changed()
        if (at === hashed) md5.update(into.subarray(0, got))
        hashed = Math.max(hashed, at + got)
        return got
      },
      written: (sentBytes) => ctx.progress?.(sentBytes),
    }
    return this.#post(key, source, body, () => md5.copy().digest('hex'), ctx)
  }

  async #post(
    key: Key,
    source: Source,
    body: Uint8Array | Body,
    md5: () => string,
    ctx: CallContext,
  ): Promise<StoredObject> {
    const headers = {
      'content-type': source.kind,
      'x-metadata': Buffer.from(JSON.stringify(described(source))).toString('base64'),
    }
    let answer: Answer
    try {
      answer = await this.#service.ask({ method: 'POST', path: this.#path(key), headers, body, signal: ctx.signal })
    } catch (error) {
      if (!(error instanceof LostAnswer) || !error.bodySent) throw this.#service.failed(error)
      return this.#settle(key, source.bytes, md5(), error, ctx)
    }
    if (answer.status !== 200) throw this.#service.refused(answer, key)
    this.#checkKey(key, answer)
    return this.confirm(key, source.bytes, md5(), ctx)
  }

  /** The answer was lost after the last byte: what lies there tells what it would have been. */
  async #settle(key: Key, bytes: number, md5: string, lost: LostAnswer, ctx: CallContext): Promise<StoredObject> {
    const seen = await this.look(key, ctx)
    if (seen?.bytes === bytes && seen.md5 === md5) return { key, bytes }
    throw this.#service.failed(lost)
  }

  /** A name that was read otherwise than it was meant is nobody's photo. */
  #checkKey(key: Key, { body }: Answer): void {
    let stored: unknown
    try {
      stored = (JSON.parse(body.toString()) as { Key?: unknown }).Key
    } catch {
      stored = undefined
    }
    if (stored !== undefined && stored !== `${this.bucket}/${objectName(key)}`)
      throw new LuminaError('unconfirmed', `${this.#service.place} stored ${key} under another name.`)
  }

  async *get(key: Key, from: number, ctx: CallContext): AsyncGenerator<Uint8Array> {
    ctx.checkpoint()
    const seen = await this.look(key, ctx)
    if (!seen) throw new LuminaError('not-found', `There is no ${key} at ${this.#service.place}.`)
    if (from >= seen.bytes) return
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {}
    const opened = await this.#opened({ method: 'GET', path: this.#path(key), headers, signal: ctx.signal })
    try {
      let at = from
      for await (const chunk of opened.message) {
        ctx.checkpoint()
        at += (chunk as Buffer).length
        yield chunk as Buffer
      }
      if (at < seen.bytes) throw new LostAnswer(new Error('it ended early'), true)
    } catch (error) {
      if (error instanceof LuminaError) throw error
      ctx.checkpoint()
      throw this.#service.failed(error instanceof LostAnswer ? error : new LostAnswer(error, true))
    } finally {
      opened.close()
    }
  }

  async #opened(call: Call): ReturnType<Service['open']> {
    try {
      return await this.#service.open(call)
    } catch (error) {
      throw this.#service.failed(error)
    }
  }

  async move(from: Key, to: Key, ctx: CallContext): Promise<void> {
    const body = { bucketId: this.bucket, sourceKey: objectName(from), destinationKey: objectName(to) }
    const answer = await this.#json('POST', '/object/move', body, ctx)
    if (answer.status !== 200) throw this.#service.refused(answer, refusalOf(answer).status === 409 ? to : from)
  }

  async remove(key: Key, ctx: CallContext): Promise<void> {
    const answer = await this.#ask({ method: 'DELETE', path: this.#path(key), signal: ctx.signal })
    if (answer.status === 200) return
    const { status, code } = refusalOf(answer)
    if (status !== 404 || code === 'NoSuchBucket') throw this.#service.refused(answer, key)
  }

  /** In the order of names. A login that may not list, and a bucket that is missing, show nothing: so says the service. */
  async *list(prefix: Key, ctx: CallContext): AsyncGenerator<StoredObject> {
    for (let cursor: string | undefined; ;) {
      ctx.checkpoint()
      const asked = {
        prefix: prefix === '' ? '' : listPrefix(prefix),
        limit: 1000,
        ...(cursor === undefined ? {} : { cursor }),
      }
      const answer = await this.#json('POST', `/object/list-v2/${encodeURIComponent(this.bucket)}`, asked, ctx)
      if (answer.status !== 200) throw this.#service.refused(answer, 'its list')
      const page = parsePage(answer)
      for (const { name, bytes } of page.objects) {
        this.#maySee = true
        yield { key: keyOf(name), bytes }
      }
      if (!page.hasNext || page.nextCursor === undefined) return
      cursor = page.nextCursor
    }
  }

  async #json(method: string, path: string, body: object, { signal }: CallContext): Promise<Answer> {
    const content = Buffer.from(JSON.stringify(body))
    return this.#ask({ method, path, headers: { 'content-type': 'application/json' }, body: content, signal })
  }

  async #ask(call: Call): Promise<Answer> {
    try {
      return await this.#service.ask(call)
    } catch (error) {
      throw this.#service.failed(error)
    }
  }

  #named(key: Key): string {
    return `${encodeURIComponent(this.bucket)}/${inUrl(objectName(key))}`
  }

  #path(key: Key): string {
    return `/object/${this.#named(key)}`
  }
}

/** A prefix may end in the middle of a segment, or with its slash. */
function listPrefix(prefix: Key): string {
  return prefix.endsWith('/') ? `${objectName(prefix.slice(0, -1))}/` : objectName(prefix)
}

async function readWhole(source: Source, buffer: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
  for (let at = 0; at < source.bytes;) {
    ctx.checkpoint()
    const got = await source.read(buffer.subarray(at, source.bytes), at)
    if (got === 0) throw changed()
    at += got
  }
  return buffer.subarray(0, source.bytes)
}

interface Page {
  objects: { name: string; bytes: number }[]
  hasNext: boolean
  nextCursor: string | undefined
}

function parsePage({ body }: Answer): Page {
  const {
    objects = [],
    hasNext,
    nextCursor,
  } = JSON.parse(body.toString()) as {
    objects?: { name?: string; key?: string; metadata?: { size?: number } | null }[]
    hasNext?: boolean
    nextCursor?: string
  }
  const named = objects.flatMap(({ name, key, metadata }) => {
    const whole = key ?? name
    return whole === undefined ? [] : [{ name: whole, bytes: metadata?.size ?? 0 }]
  })
  return { objects: named, hasNext: hasNext === true, nextCursor }
}
