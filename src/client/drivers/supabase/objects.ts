import { createHash, hash } from 'node:crypto'

import { LuminaError } from '../../../errors.ts'
import type { CallContext, Key, Source, StoredObject } from '../../destination.ts'
import { bufferBytes, buffers } from '../../http/buffers.ts'
import { type Answer, type Body, LostAnswer } from '../../http/exchange.ts'
import { changed, described } from './content.ts'
import { inUrl, keyOf, objectName } from './names.ts'
import { isMissingRoute, refusalOf } from './failure.ts'
import type { Call, Service } from './service.ts'

/** What the service knows of an object: its etag is the MD5 of its content, where it is one. */
interface Seen {
  bytes: number
  md5?: string
  /** The digest as its uploader noted it. */
  claimed?: string
}

/** A content that was sent. */
interface Sent {
  bytes: number
  md5: string
  digest: string | undefined
}

/** The objects of one bucket, each as one request. */
export class Objects {
  readonly bucket: string
  readonly #service: Service
  /** This login was shown something that lies there: what it does not see then is not there. */
  #maySee = false
  /** What was sent and may have been stored: a name that is taken then may be taken by us. */
  readonly #unsure = new Map<Key, Sent>()

  constructor(service: Service, bucket: string) {
    this.#service = service
    this.bucket = bucket
  }

  /**
   * What is told of an object. Not by HEAD, whose refusals have no body: an expired login, a missing bucket and a missing object are
   * one there, and a file that is taken for missing is a file that is sent again, or dropped from the catalog.
   */
  async look(key: Key, ctx: CallContext): Promise<Seen | undefined> {
    ctx.checkpoint()
    const answer = await this.#ask({ method: 'GET', path: `/object/info/${this.#named(key)}`, signal: ctx.signal })
    if (answer.status !== 200) {
      const refused = this.#service.refused(answer, key)
      // what may not be seen, and what is not there, are one
      if (refused.code === 'not-found') return undefined
      throw refused
    }
    const seen = seenIn(answer)
    if (!seen) throw notTheService(this.#service.place)
    this.#maySee = true
    return seen
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
    const seen = await this.look(key, ctx)
    return seen?.bytes === source.bytes && seen.claimed === source.digest
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
    const sent = (): Sent => ({ bytes: source.bytes, md5: md5(), digest: source.digest })
    let answer: Answer
    try {
      answer = await this.#service.ask({ method: 'POST', path: this.#path(key), headers, body, signal: ctx.signal })
    } catch (error) {
      const lost = this.#service.failed(error)
      if (!(error instanceof LostAnswer) || !error.bodySent) throw lost
      this.#unsure.set(key, sent())
      return this.#settle(key, sent(), lost, ctx)
    }
    if (answer.status !== 200) {
      const refused = this.#service.refused(answer, key)
      // not of this try, whose body may not have been read to its end
      const before = this.#unsure.get(key)
      if (refused.code !== 'key-taken' || before?.digest !== source.digest || before?.bytes !== source.bytes)
        throw refused
      return this.#settle(key, before, refused, ctx)
    }
    // until it is confirmed: asked again after what comes between, the service says that the name is taken
    this.#unsure.set(key, sent())
    this.#checkKey(key, answer)
    const stored = await this.confirm(key, source.bytes, md5(), ctx)
    this.#unsure.delete(key)
    return stored
  }

  /** What lies there tells what became of what was sent. @throws `failed` when it was not stored, `unconfirmed` when nothing tells */
  async #settle(key: Key, sent: Sent, failed: unknown, ctx: CallContext): Promise<StoredObject> {
    const seen = await this.look(key, ctx)
    const isOurs = seen && isSame(seen, sent)
    const isTaken = failed instanceof LuminaError && failed.code === 'key-taken'
    if (isOurs === undefined && isTaken)
      throw new LuminaError(
        'unconfirmed',
        `What lies under ${key} at ${this.#service.place} may be what was sent, or not.`,
        {
          hint: 'Compare it with a login that may read, or let this one read what it has stored.',
        },
      )
    if (isOurs || isTaken) this.#unsure.delete(key)
    if (isOurs) return { key, bytes: sent.bytes }
    throw failed
  }

  /** A name that was read otherwise than it was meant is nobody's photo, and an answer without one is not the service's. */
  #checkKey(key: Key, answer: Answer): void {
    const stored = jsonOf(answer)?.['Key']
    if (typeof stored !== 'string') throw notTheService(this.#service.place)
    if (stored !== `${this.bucket}/${objectName(key)}`)
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
      // who heeds no range begins at the beginning
      let at = opened.status === 206 ? from : 0
      for await (const chunk of opened.message as AsyncIterable<Buffer>) {
        ctx.checkpoint()
        const wanted = chunk.subarray(Math.max(0, from - at))
        at += chunk.length
        if (wanted.length > 0) yield wanted
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

  /** A login that may not list is shown nothing: so says the service. @throws `destination-missing` for a bucket that is not there */
  async *list(prefix: Key, ctx: CallContext): AsyncGenerator<StoredObject> {
    const below = prefix === '' ? '' : listPrefix(prefix)
    let shown = false
    for await (const { name, bytes } of this.#listed(below, ctx)) {
      shown = true
      this.#maySee = true
      yield { key: keyOf(name), bytes }
    }
    // a bucket that is missing shows nothing either; a look at any object tells
    if (!shown) await this.look('.lumina', ctx)
  }

  /** In the order of names; by folders where the service is too old for a flat list. */
  async *#listed(prefix: string, ctx: CallContext): AsyncGenerator<Listed> {
    for (let cursor: string | undefined; ;) {
      ctx.checkpoint()
      const asked = { prefix, limit: 1000, ...(cursor === undefined ? {} : { cursor }) }
      const answer = await this.#json('POST', `/object/list-v2/${encodeURIComponent(this.bucket)}`, asked, ctx)
      if (cursor === undefined && isMissingRoute(refusalOf(answer))) {
        yield* this.#listedByFolder(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, ctx)
        return
      }
      if (answer.status !== 200) throw this.#service.refused(answer, 'its list')
      const page = pageIn(answer)
      if (!page) throw notTheService(this.#service.place)
      yield* page.objects
      if (!page.hasNext) return
      // a list that ends too early would be taken for the whole
      if (page.nextCursor === undefined) throw notTheService(this.#service.place)
      cursor = page.nextCursor
    }
  }

  /** `folder` is empty or ends in a slash; what does not begin with `prefix` is left out. */
  async *#listedByFolder(folder: string, prefix: string, ctx: CallContext): AsyncGenerator<Listed> {
    for (let offset = 0; ; offset += folderPage) {
      ctx.checkpoint()
      const sortBy = { column: 'name', order: 'asc' }
      const asked = { prefix: folder.slice(0, -1), limit: folderPage, offset, sortBy }
      const answer = await this.#json('POST', `/object/list/${encodeURIComponent(this.bucket)}`, asked, ctx)
      if (answer.status !== 200) throw this.#service.refused(answer, 'its list')
      const items = jsonOf(answer)
      if (!Array.isArray(items)) throw notTheService(this.#service.place)
      for (const item of items as Item[]) {
        const name = folder + item.name
        // what has no id is a folder
        if (item.id !== null && name.startsWith(prefix)) yield { name, bytes: item.metadata?.size ?? 0 }
        const within = `${name}/`
        if (item.id === null && (within.startsWith(prefix) || prefix.startsWith(within)))
          yield* this.#listedByFolder(within, prefix, ctx)
      }
      if (items.length < folderPage) return
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

/** Whether what lies there is what was sent; undefined where nothing tells. */
function isSame(seen: Seen, sent: Sent): boolean | undefined {
  if (seen.bytes !== sent.bytes) return false
  if (seen.md5 !== undefined) return seen.md5 === sent.md5
  return seen.claimed === undefined || sent.digest === undefined ? undefined : seen.claimed === sent.digest
}

interface Listed {
  name: string
  bytes: number
}

/** As it comes in a list: of a folder, everything but its name is null. */
interface Item {
  name: string
  key?: string
  id: string | null
  metadata: { size?: number } | null
}

interface Page {
  objects: Listed[]
  hasNext: boolean
  nextCursor: string | undefined
}

/** The most that the service gives of a folder at once is 1500. */
const folderPage = 1000

/** `undefined` for what is no page of a list: not to be taken for an empty one. */
function pageIn(answer: Answer): Page | undefined {
  const page = jsonOf(answer)
  const objects = page?.['objects']
  if (!page || !Array.isArray(objects)) return undefined
  return {
    objects: (objects as Item[]).map(({ name, key, metadata }) => ({ name: key ?? name, bytes: metadata?.size ?? 0 })),
    hasNext: page['hasNext'] === true,
    nextCursor: typeof page['nextCursor'] === 'string' ? page['nextCursor'] : undefined,
  }
}

function seenIn(answer: Answer): Seen | undefined {
  const told = jsonOf(answer)
  const bytes = told?.['size']
  if (!told || typeof bytes !== 'number') return undefined
  // with an S3 behind the service, the etag of what came in parts is no MD5
  const md5 = /^"?([0-9a-f]{32})"?$/.exec(String(told['etag']))?.[1]
  const claimed = (told['metadata'] as { digest?: unknown } | null | undefined)?.digest
  return {
    bytes,
    ...(md5 === undefined ? {} : { md5 }),
    ...(typeof claimed === 'string' ? { claimed } : {}),
  }
}

function jsonOf({ body }: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** A network's own log-in page answers everything with 200. */
function notTheService(place: string): LuminaError {
  return new LuminaError('destination-unreachable', `What answers for ${place} is not Supabase Storage.`, {
    retry: 'transient',
    hint: 'Is SUPABASE_URL right, and does this network ask for a log-in of its own?',
  })
}
