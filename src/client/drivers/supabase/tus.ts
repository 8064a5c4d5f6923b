import { createHash, type Hash } from 'node:crypto'

import { LuminaError } from '../../../errors.ts'
import type { CallContext, Key, Resumable, ResumeToken, Source } from '../../destination.ts'
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

/** The digest of what this process has sent of a transfer, as long as it sent everything from the first byte on. */
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
    const answer = await call('HEAD', token, {}, ctx)
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
      const held = await lookAt(token, ctx)
      if (held !== undefined) return held <= source.bytes ? held : undefined
      // an upload that came to its end may be forgotten, and its object is there
      const key = keyOfToken(token)
      return (await objects.isThere(key, source, ctx)) ? source.bytes : undefined
    },

    async append(token, source, offset, ctx) {
      let at = offset
      const known = sent.get(String(token['upload']))
      const memory = known?.bytes === offset ? known : undefined
      if (!memory) sent.delete(String(token['upload']))
      while (at < source.bytes) {
        ctx.checkpoint()
        const piece = pieceOf(source, at, memory, ctx)
        const headers = { 'upload-offset': `${at}`, 'content-type': 'application/offset+octet-stream' }
        const answer = await call('PATCH', token, headers, ctx, piece)
        if (answer.status !== 204 && answer.status !== 200) throw refusedUpload(service, answer, keyOfToken(token))
        const held = offsetOf(answer)
        // another client took the upload over, or only a part of the piece has arrived
        if (held !== at + piece.bytes) {
          sent.delete(String(token['upload']))
          ctx.progress?.(held)
          return held
        }
        at = held
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

function pathOf(token: ResumeToken): string {
  return `${endpoint}/${String(token['upload'])}`
}

/** Only the id of a Location counts: where it leads to is ours to say, and a service behind a proxy errs about its own address. */
function uploadIn(location: string, origin: URL): string {
  const path = URL.parse(location, origin.href)?.pathname ?? ''
  const id = path.slice(path.lastIndexOf(endpoint) + endpoint.length + 1)
  if (!path.includes(`${endpoint}/`) || !/^[A-Za-z0-9_\-./=%+~]{1,2000}$/.test(id) || /(^|\/)\.\.?(\/|$)/.test(id))
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
  if (status === 404 || status === 410)
    return new LuminaError('not-found', `${service.place} has forgotten the upload of ${key}.`)
  return service.refused(answer, key)
}

/** The next piece, hashed as it goes by; the source's last byte is read before it is sent, so that what has changed stays unfinished. */
function pieceOf(source: Source, from: number, memory: Sent | undefined, ctx: CallContext): Body {
  const bytes = Math.min(pieceBytes, source.bytes - from)
  return {
    bytes,
    async read(into, at) {
      ctx.checkpoint()
      const got = await source.read(into, from + at)
      if (got === 0) throw changed()
      if (memory && memory.bytes === from + at) {
        memory.md5.update(into.subarray(0, got))
        memory.bytes += got
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
