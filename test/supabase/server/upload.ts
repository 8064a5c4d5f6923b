import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'

import { type Answer, type Call, header, ok } from './call.ts'
import { refusals } from './errors.ts'
import { checkKey } from './keys.ts'
import { mayStore } from './policy.ts'
import { accessOf, checkType, type Service } from './service.ts'
import type { Bucket, Described, Received } from './store.ts'
import { tally } from './wire.ts'

/** POST and PUT of a whole object. */
export async function upload(service: Service, call: Call, upsert: boolean): Promise<Answer> {
  const bucket = service.store.bucket(call.bucket)
  checkKey(call.key)
  if (!mayStore(accessOf(service, call), upsert)) throw refusals.rowSecurity()
  return storeBody(service, call, bucket, upsert)
}

/** What an upload does once it is allowed to. */
export async function storeBody(service: Service, call: Call, bucket: Bucket, upsert: boolean): Promise<Answer> {
  tally(call.req, service.counters.bodyBytes, `${call.bucket}/${call.key}`)
  const isForm = header(call, 'content-type')?.startsWith('multipart/form-data') === true
  const refuseTaken = (): void => {
    if (!upsert && bucket.objects.has(call.key)) throw refusals.keyAlreadyExists()
  }
  if (!isForm) checkType(bucket, typeOf(call))
  checkLength(bucket, Number(header(call, 'content-length') ?? 0))
  // asked now, and not again when the body has come: two that overlap are both told that the key is free
  refuseTaken()
  const { received, described } = isForm ? await receiveForm(service, call, bucket) : await receiveRaw(service, call)
  try {
    if (service.virtues.limitsChunkedBodies) checkLength(bucket, received.bytes)
    if (service.virtues.honoursPreconditions) checkPreconditions(call, bucket, received)
    const release = await service.locks.take(`${call.bucket}/${call.key}`)
    try {
      if (service.virtues.atomicNoUpsert) refuseTaken()
      const file = await service.store.publish(bucket, call.key, received, described)
      return ok({ Key: `${call.bucket}/${call.key}`, Id: file.id })
    } finally {
      release()
    }
  } catch (error) {
    await rm(received.path, { force: true })
    throw error
  }
}

function checkLength(bucket: Bucket, bytes: number): void {
  if (bucket.fileSizeLimit !== undefined && bytes > bucket.fileSizeLimit) throw refusals.entityTooLarge()
}

function checkPreconditions(call: Call, bucket: Bucket, received: Received): void {
  const md5 = header(call, 'content-md5')
  if (md5 !== undefined && md5 !== Buffer.from(received.md5, 'hex').toString('base64')) throw refusals.invalidChecksum()
  if (header(call, 'if-none-match') === '*' && bucket.objects.has(call.key)) throw refusals.keyAlreadyExists()
}

const typeOf = (call: Call): string => header(call, 'content-type') ?? 'application/octet-stream'

async function receiveRaw(service: Service, call: Call): Promise<{ received: Received; described: Described }> {
  const described: Described = {
    type: typeOf(call),
    cacheControl: header(call, 'cache-control') ?? 'no-cache',
    metadata: decoded(Buffer.from(header(call, 'x-metadata') ?? '', 'base64').toString()),
    owner: call.claims.sub,
  }
  return { received: await service.store.receive(call.req), described }
}

/** A browser's way, and that of supabase-js with a Blob: the form is held in memory. */
async function receiveForm(
  service: Service,
  call: Call,
  bucket: Bucket,
): Promise<{ received: Received; described: Described }> {
  const body = Readable.toWeb(call.req) as ReadableStream<Uint8Array>
  const form = await new Response(body, { headers: { 'content-type': typeOf(call) } }).formData()
  const file = [...form.values()].find((value) => value instanceof Blob)
  if (!file) throw refusals.invalidRequest('No content provided')
  const field = (name: string): string | undefined => {
    const value = form.get(name)
    return typeof value === 'string' ? value : undefined
  }
  checkType(bucket, file.type)
  checkLength(bucket, file.size)
  const seconds = field('cacheControl')
  const described: Described = {
    type: file.type,
    cacheControl: seconds === undefined ? 'no-cache' : `max-age=${seconds}`,
    metadata: decoded(field('metadata') ?? ''),
    owner: call.claims.sub,
  }
  const content = Readable.from(Buffer.from(await file.arrayBuffer()), { objectMode: false })
  return { received: await service.store.receive(content), described }
}

/** Custom metadata is JSON; what is none is dropped, and nobody is told. */
export function decoded(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
