import { createHash, type Hash } from 'node:crypto'

import { LuminaError } from '../../../errors.ts'
import type { CallContext, Key, Resumable, ResumeToken, Source } from '../../destination.ts'
import { buffers } from '../../http/buffers.ts'
import type { Answer, Body } from '../../http/exchange.ts'
import { changed, described } from './content.ts'
import { objectName } from './names.ts'
import { refusalOf } from './failure.ts'
import type { Objects } from './objects.ts'
import type { Service } from './service.ts'

const endpoint = '/upload/resumable'
const version = { 'tus-resumable': '1.0.0' }
/** What the hosted service asks for: https://supabase.com/docs/guides/storage/uploads/resumable-uploads */
export const pieceBytes = 6 * 1024 * 1024

/** The digest of what the service has taken of a transfer, as long as this process sent everything from the first byte on. */
interface Sent {
  md5: Hash
  bytes: number
}

/** Transfers in pieces, by the tus protocol. What the service says that it holds is all that counts. */
export function resumableUploads(service: Service, objects: Objects, minBytes: number): Resumable {
  const sent = new Map<string, Sent>()
  /** Uploads whose last byte the service has taken, as this process saw. */
  const complete = new Set<string>()

  const lookAt = async (token: ResumeToken, ctx: CallContext): Promise<number | undefined> => {
    let answer = await call('HEAD', token, {}, ctx)
    if (answer.status === 400 || answer.status === 401 || answer.status === 403) {
      // its refusal has no body: a call that has one renews the login, or tells why not
      await objects.look(keyOfToken(token), ctx)
      answer = await call('HEAD', token, {}, ctx)
    }
    if (answer.status === 404 || answer.status === 410) return undefined
    if (answer.status >= 400) throw service.refused(answer, keyOfToken(token))
    return offsetOf(answer)
  }

  const call = async (
    method: string,
    token: ResumeToken,
    headers: Record<string, string>,
    { signal }: CallContext,
    body?: Body,
  ): Promise<Answer> => {
    try {
      return await service.ask({
        method,
        path: pathOf(token),
        headers: { ...version, ...headers },
        signal,
        ...(body && { body }),
      })
    } catch (error) {
      throw service.failed(error)
    }
  }

  const requireWhole = async (token: ResumeToken, source: Source, ctx: CallContext): Promise<void> => {
    const held = await lookAt(token, ctx)
    if (held === source.bytes) return
    const key = keyOfToken(token)
    if (held !== undefined) throw new LuminaError('io', `${service.place} holds only a part of ${key}.`)
    if (!(await objects.isThere(key, source, ctx)))
      throw new LuminaError('not-found', `${service.place} has forgotten the upload of ${key}.`)
  }

  return {
    minBytes,
    async begin(key, source, ctx) {
      ctx.checkpoint()
      const headers = {
        ...version,
        'upload-length': `${source.bytes}`,
        'upload-metadata': metadataOf(objects.bucket, key, source),
      }
      let answer: Answer
      try {
        answer = await service.ask({ method: 'POST', path: endpoint, headers, signal: ctx.signal })
      } catch (error) {
        throw service.failed(error)
      }
      if (answer.status !== 201) throw refusedUpload(service, answer, key)
      const upload = uploadIn(String(answer.headers['location'] ?? ''), service.origin)
      sent.set(upload, { md5: createHash('md5'), bytes: 0 })
      return { upload, key, bytes: source.bytes }
    },

    async offset(token, source, ctx) {
      ctx.checkpoint()
      // its length was told when it was begun
      if (!isToken(token) || token['bytes'] !== source.bytes) return undefined
      const held = await lookAt(token, ctx)
      if (held !== undefined) return held <= source.bytes ? held : undefined
      // an upload that came to its end may be forgotten, and its object is there
      const key = keyOfToken(token)
      return (await objects.isThere(key, source, ctx)) ? source.bytes : undefined
    },

    async append(token, source, offset, ctx) {
      let at = offset
      const memory = await caughtUp(sent.get(String(token['upload'])), source, offset, ctx)
      if (!memory) sent.delete(String(token['upload']))
      while (at < source.bytes) {
        ctx.checkpoint()
        const md5 = memory?.md5.copy()
        const piece = pieceOf(source, at, md5, ctx)
        const headers = { 'upload-offset': `${at}`, 'content-type': 'application/offset+octet-stream' }
        const answer = await call('PATCH', token, headers, ctx, piece)
        if (answer.status !== 204 && answer.status !== 200) throw refusedUpload(service, answer, keyOfToken(token))
        const held = offsetOf(answer)
        // another client took the upload over, or only a part of the piece has arrived
        if (held !== at + piece.bytes) {
          ctx.progress?.(held)
          return held
        }
        at = held
        if (memory && md5) Object.assign(memory, { md5, bytes: at })
      }
      complete.add(String(token['upload']))
      return at
    },

    async finish(token, key, source, ctx) {
      ctx.checkpoint()
      const upload = String(token['upload'])
      if (!complete.has(upload)) await requireWhole(token, source, ctx)
      const known = sent.get(upload)
      const md5 = known?.bytes === source.bytes ? known.md5.copy().digest('hex') : undefined
      const stored = await objects.confirm(key, source.bytes, md5, ctx)
      sent.delete(upload)
      complete.delete(upload)
      return stored
    },

    async abort(token, ctx) {
      sent.delete(String(token['upload']))
      complete.delete(String(token['upload']))
      if (!isToken(token)) return
      const answer = await call('DELETE', token, {}, ctx)
      // 409: it is whole, and an object by now
      if (answer.status >= 400 && ![404, 409, 410].includes(answer.status))
        throw service.refused(answer, keyOfToken(token))
    },
  }
}

function keyOfToken(token: ResumeToken): Key {
  return String(token['key'])
}

/** Base64url, as the service makes it; never a path, which might lead to an object. */
const uploadId = /^(?!\.+$)[\w.=+~-]{1,4000}$/

/** A token comes from a file, and a file may say anything. */
function isToken(token: ResumeToken): boolean {
  return uploadId.test(String(token['upload']))
}

function pathOf(token: ResumeToken): string {
  if (!isToken(token)) throw new LuminaError('not-found', `There is no such upload of ${keyOfToken(token)}.`)
  return `${endpoint}/${String(token['upload'])}`
}

/** Only the id of a Location counts: where it leads to is ours to say, and a service behind a proxy errs about its own address. */
function uploadIn(location: string, origin: URL): string {
  const path = URL.parse(location, origin.href)?.pathname ?? ''
  const id = path.slice(path.lastIndexOf(endpoint) + endpoint.length + 1)
  if (!path.includes(`${endpoint}/`) || !uploadId.test(id))
    throw new LuminaError('io', `${origin.host} began an upload and did not say where.`, { retry: 'transient' })
  return id
}

function offsetOf({ headers }: Answer): number {
  const text = String(headers['upload-offset'] ?? '')
  if (!/^\d{1,15}$/.test(text))
    throw new LuminaError('io', 'The service does not say how much it holds.', { retry: 'transient' })
  return Number(text)
}

/** 409 says two things: that we are wrong about the offset, which asking mends, or that the name is taken. */
function refusedUpload(service: Service, answer: Answer, key: Key): LuminaError {
  const { status, message } = refusalOf(answer)
  if (status === 409 && /offset/i.test(message))
    return new LuminaError('io', `${service.place} holds another part of ${key} than expected.`, { retry: 'transient' })
  if ((status === 404 || status === 410) && !/bucket/i.test(message))
    return new LuminaError('not-found', `${service.place} has forgotten the upload of ${key}.`)
  return service.refused(answer, key)
}

/** `known` up to `offset`: after a cut, the service may hold a part of the piece that was on its way. */
async function caughtUp(
  known: Sent | undefined,
  source: Source,
  offset: number,
  ctx: CallContext,
): Promise<Sent | undefined> {
  if (!known || offset < known.bytes || offset - known.bytes > pieceBytes) return undefined
  if (offset === known.bytes) return known
  const buffer = buffers.take()
  try {
    while (known.bytes < offset) {
      ctx.checkpoint()
      const got = await source.read(buffer.subarray(0, Math.min(buffer.length, offset - known.bytes)), known.bytes)
      if (got === 0) throw changed()
      known.md5.update(buffer.subarray(0, got))
      known.bytes += got
    }
    return known
  } finally {
    buffers.give(buffer)
  }
}

/** The next piece, hashed as it goes by; the source's last byte is read before it is sent, so that what has changed stays unfinished. */
function pieceOf(source: Source, from: number, md5: Hash | undefined, ctx: CallContext): Body {
  const bytes = Math.min(pieceBytes, source.bytes - from)
  let hashed = 0
  return {
    bytes,
    async read(into, at) {
      ctx.checkpoint()
      const got = await source.read(into, from + at)
      if (got === 0) throw changed()
      // with another login it is read again
      if (md5 && at === hashed) {
        md5.update(into.subarray(0, got))
        hashed += got
      }
      return got
    },
    written: (sentBytes) => ctx.progress?.(from + sentBytes),
  }
}

function metadataOf(bucket: string, key: Key, source: Source): string {
  const fields = {
    bucketName: bucket,
    objectName: objectName(key),
    contentType: source.kind,
    cacheControl: '3600',
    metadata: JSON.stringify(described(source)),
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
    .join(',')
}
