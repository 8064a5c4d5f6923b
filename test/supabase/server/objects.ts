import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

import { type Answer, type Call, header, jsonBody, ok } from './call.ts'
import { refusals } from './errors.ts'
import { checkKey } from './keys.ts'
import { mayStore } from './policy.ts'
import { accessOf, type Service, visible } from './service.ts'
import type { StoredFile } from './store.ts'

/** GET and HEAD of an object, whole or a range of it. */
export async function download(service: Service, call: Call): Promise<Answer | void> {
  const { file } = visible(service, call)
  return sendFile(call, file)
}

/** The same without a token, from a bucket that is public. */
export async function downloadPublic(service: Service, call: Call): Promise<Answer | void> {
  const bucket = service.store.bucket(call.bucket)
  const file = bucket.objects.get(call.key)
  if (!bucket.public) throw refusals.noSuchBucket()
  if (!file) throw refusals.noSuchKey()
  return sendFile(call, file)
}

async function sendFile(call: Call, file: StoredFile): Promise<Answer | void> {
  const headers = {
    'content-type': file.type,
    'cache-control': file.cacheControl,
    'last-modified': file.updatedAt.toUTCString(),
    'accept-ranges': 'bytes',
    etag: file.etag,
  }
  if (header(call, 'if-none-match') === file.etag) return { status: 304, headers }
  const range = rangeOf(header(call, 'range'), file.bytes)
  const start = range?.start ?? 0
  const end = range?.end ?? file.bytes - 1
  call.res.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': end - start + 1,
    ...(range && { 'content-range': `bytes ${start}-${end}/${file.bytes}` }),
  })
  if (call.method === 'HEAD' || file.bytes === 0) call.res.end()
  else await pipeline(createReadStream(file.path, { start, end }), call.res)
}

function rangeOf(range: string | undefined, bytes: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const [, from = '', to = ''] = match
  const start = from === '' ? Math.max(0, bytes - Number(to)) : Number(from)
  const end = from === '' || to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1)
  if (start > end) throw refusals.invalidRange()
  return { start, end }
}

/** What is known of an object: the only place that gives its custom metadata back. */
export async function info(service: Service, call: Call): Promise<Answer> {
  const { bucket, file } = visible(service, call)
  return ok({
    id: file.id,
    name: call.key,
    version: file.version,
    bucket_id: bucket.name,
    size: file.bytes,
    content_type: file.type,
    cache_control: file.cacheControl,
    etag: file.etag,
    metadata: file.metadata ?? {},
    last_modified: file.updatedAt.toISOString(),
    created_at: file.createdAt.toISOString(),
  })
}

export async function remove(service: Service, call: Call): Promise<Answer> {
  const { bucket } = visible(service, call)
  if (!accessOf(service, call).delete) throw refusals.noSuchKey()
  await service.store.remove(bucket, call.key)
  return ok({ message: 'Successfully deleted' })
}

/** Answers with those that it removed: what is missing or forbidden is left out. */
export async function removeMany(service: Service, call: Call): Promise<Answer> {
  const access = accessOf(service, call)
  const bucket = service.store.bucket(call.bucket)
  const { prefixes } = (await jsonBody(call)) as { prefixes?: string[] }
  if (!Array.isArray(prefixes)) throw refusals.invalidRequest("body must have required property 'prefixes'")
  const removed: object[] = []
  if (!access.select || !access.delete) return ok(removed)
  for (const key of prefixes) {
    const file = await service.store.remove(bucket, key)
    if (file) removed.push({ name: key, id: file.id, bucket_id: bucket.name })
  }
  return ok(removed)
}

interface Relocation {
  bucketId: string
  sourceKey: string
  destinationKey: string
  destinationBucket?: string
}

/** POST /object/move and /object/copy; custom metadata goes along. */
export async function relocate(service: Service, call: Call, how: 'move' | 'copy'): Promise<Answer> {
  const asked = (await jsonBody(call)) as unknown as Relocation
  const target = service.store.bucket(asked.destinationBucket ?? asked.bucketId)
  const key = asked.destinationKey
  checkKey(key)
  const source = { ...call, bucket: asked.bucketId, key: asked.sourceKey }
  const { bucket, file } = visible(service, source)
  const access = accessOf(service, call)
  const upsert = how === 'copy' && header(call, 'x-upsert') === 'true'
  if (how === 'move' ? !access.update : !mayStore(access, upsert)) throw refusals.rowSecurity()
  if (!upsert && target.objects.has(key)) throw refusals.keyAlreadyExists()
  if (how === 'copy') {
    const copied = await service.store.copy(file, target, key)
    return ok({ Id: copied.id, Key: `${target.name}/${key}` })
  }
  target.objects.set(key, file)
  bucket.objects.delete(source.key)
  return ok({ message: 'Successfully moved', Id: file.id, Key: `${target.name}/${key}` })
}
