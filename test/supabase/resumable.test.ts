import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ask, base64, md5, post, type Said } from './asking.ts'
import {
  type FakeStorage,
  insertOnly,
  startStorage,
  type StorageOptions,
  type StoredFile,
  uploadIdOf,
} from './storage.ts'

let storage: FakeStorage

const open = async (options?: StorageOptions): Promise<void> => {
  await storage?.close()
  storage = await startStorage(options)
  storage.createBucket('photos')
}
beforeEach(() => open())
afterEach(() => storage.close())

const path = '/storage/v1/upload/resumable'
const tus = { 'tus-resumable': '1.0.0' }
const bytes = { 'content-type': 'application/offset+octet-stream' }
const content = randomBytes(100_000)

interface Asking {
  headers?: Record<string, string>
  token?: string
  body?: Buffer
}

const named = (fields: Record<string, string>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(',')

const create = (
  key: string,
  length: number,
  { headers, ...asked }: Asking = {},
  fields: Record<string, string> = {},
): Promise<Said> =>
  ask(storage, 'POST', path, {
    ...asked,
    headers: {
      ...tus,
      'upload-length': String(length),
      'upload-metadata': named({ bucketName: 'photos', objectName: key, contentType: 'image/jpeg', ...fields }),
      ...headers,
    },
  })
/** The path of a new upload. */
const begin = async (key: string, length = content.length, asked?: Asking): Promise<string> =>
  pathOf(await create(key, length, asked))
const pathOf = (said: Said): string => new URL(String(said.headers['location'])).pathname
const patch = (upload: string, offset: number, body: Buffer, { headers, ...asked }: Asking = {}): Promise<Said> =>
  ask(storage, 'PATCH', upload, {
    ...asked,
    body,
    headers: { ...tus, ...bytes, 'upload-offset': String(offset), ...headers },
  })
const head = (upload: string): Promise<Said> => ask(storage, 'HEAD', upload, { headers: tus })
const offsetOf = async (upload: string): Promise<number> => Number((await head(upload)).headers['upload-offset'])
const stored = (key: string): StoredFile | undefined => storage.objects('photos').get(key)
/** Bytes that the server heard of an upload. */
const heard = (upload: string): number | undefined => storage.counters.uploadBytes.get(uploadIdOf(upload) ?? '')

/** A PATCH that sends `part`, and then nothing more until it is told to. */
async function slowPatch(
  upload: string,
  offset: number,
  part: Buffer,
  length = content.length - offset,
): Promise<{ req: ClientRequest; answer: Promise<IncomingMessage> }> {
  const before = heard(upload) ?? 0
  const req = httpRequest(storage.url + upload, {
    method: 'PATCH',
    headers: {
      ...tus,
      ...bytes,
      authorization: `Bearer ${storage.serviceKey}`,
      'upload-offset': String(offset),
      'content-length': String(length),
    },
  })
  const answer = once(req, 'response').then(([res]) => (res as IncomingMessage).resume())
  // it is asked for later, or never
  answer.catch(() => {})
  req.write(part)
  await expect.poll(() => (heard(upload) ?? 0) - before).toBe(part.length)
  return { req, answer }
}

describe('a resumable upload', () => {
  it('is invisible until its last byte, and an object like any other then', async () => {
    const made = await create('a/big.jpg', content.length, {}, { cacheControl: '60', metadata: '{"digest":"abc"}' })
    expect(made).toMatchObject({ status: 201, text: '' })
    const upload = pathOf(made)
    expect(upload.startsWith(`${path}/`)).toBe(true)
    expect(await patch(upload, 0, content.subarray(0, 40_000))).toMatchObject({
      status: 204,
      headers: { 'upload-offset': '40000' },
    })
    expect(stored('a/big.jpg')).toBeUndefined()
    expect(await head(upload)).toMatchObject({
      status: 200,
      headers: { 'upload-offset': '40000', 'upload-length': '100000' },
    })
    expect(await patch(upload, 40_000, content.subarray(40_000))).toMatchObject({
      status: 204,
      headers: { 'upload-offset': '100000' },
    })
    expect(stored('a/big.jpg')).toMatchObject({
      bytes: content.length,
      etag: md5(content),
      type: 'image/jpeg',
      cacheControl: 'max-age=60',
      metadata: { digest: 'abc' },
    })
    expect(heard(upload)).toBe(content.length)
    expect(storage.counters.bodyBytes.get('photos/a/big.jpg')).toBe(content.length)
    expect(await offsetOf(upload)).toBe(content.length)
  })

  it('may carry its first bytes in its creation, or all of them', async () => {
    const body = content.subarray(0, 30_000)
    const made = await create('a.jpg', content.length, { body, headers: bytes })
    expect(made).toMatchObject({ status: 201, headers: { 'upload-offset': '30000' } })
    expect((await patch(pathOf(made), 30_000, content.subarray(30_000))).status).toBe(204)
    expect((await create('b.jpg', content.length, { body: content, headers: bytes })).status).toBe(201)
    for (const key of ['a.jpg', 'b.jpg']) expect(stored(key)?.etag).toBe(md5(content))
    expect(heard(pathOf(made))).toBe(content.length)
  })

  it('of nothing is complete at once', async () => {
    expect((await create('empty.jpg', 0)).status).toBe(201)
    expect(stored('empty.jpg')?.bytes).toBe(0)
  })

  it('may tell its length later', async () => {
    const fields = named({ bucketName: 'photos', objectName: 'a.jpg' })
    const headers = { ...tus, 'upload-defer-length': '1', 'upload-metadata': fields }
    const upload = pathOf(await ask(storage, 'POST', path, { headers }))
    await patch(upload, 0, content.subarray(0, 10))
    expect(stored('a.jpg')).toBeUndefined()
    await patch(upload, 10, content.subarray(10, 20), { headers: { 'upload-length': '20' } })
    expect(stored('a.jpg')?.bytes).toBe(20)
  })

  it('can be ended, and is gone then', async () => {
    const upload = await begin('a.jpg')
    expect((await ask(storage, 'DELETE', upload, { headers: tus })).status).toBe(204)
    expect(await head(upload)).toMatchObject({ status: 404 })
    expect(await patch(upload, 0, content)).toMatchObject({ status: 404, json: {} })
  })

  it('expires', async () => {
    await open({ uploadExpiryMs: 30 })
    const made = await create('a.jpg', content.length)
    expect(made.headers['upload-expires']).toBeDefined()
    await expect.poll(async () => (await head(pathOf(made))).status).toBe(404)
  })

  it('has a Location of https in production, wherever it was asked', async () => {
    await open({ productionLocation: true })
    expect(String((await create('a.jpg', 10)).headers['location'])).toMatch(/^https:\/\/127\.0\.0\.1:/)
  })

  it('offers its extensions, and no checksum', async () => {
    const { headers } = await ask(storage, 'OPTIONS', path, { headers: tus })
    expect(headers['tus-extension']).toBe('creation,creation-with-upload,creation-defer-length,termination,expiration')
  })

  it('has an etag that is no MD5 with an S3 behind the service', async () => {
    await open({ etag: 'multipart' })
    await create('b.jpg', content.length, { body: content, headers: bytes })
    expect(stored('b.jpg')?.etag).toMatch(/-1"$/)
  })
})

describe('what a resumable upload is refused with', () => {
  const plain = (status: number, text: string): object => ({ status, text: expect.stringContaining(text), json: {} })

  it('is plain text under a status that is true', async () => {
    storage.createBucket('jpegs', { allowedMimeTypes: ['image/jpeg'], fileSizeLimit: 10 })
    const jpegs = { bucketName: 'jpegs' }
    expect(await create('a.jpg', 11, {}, jpegs)).toMatchObject(plain(413, 'Maximum size exceeded'))
    expect(await create('a.jpg', 9, {}, { ...jpegs, contentType: 'image/png' })).toMatchObject(
      plain(415, 'mime type image/png is not supported'),
    )
    expect(await create('a.jpg', 9, {}, { bucketName: 'no' })).toMatchObject(plain(404, 'Bucket not found'))
    expect(await create('ä.jpg', 9)).toMatchObject(plain(400, 'Invalid key'))
    expect(await create('a.jpg', 9, { token: storage.tokenFor({}) })).toMatchObject(plain(403, 'row-level security'))
    expect(await head(`${path}/bm93aGVyZQ`)).toMatchObject({ status: 404 })
    expect(storage.objects('jpegs').size).toBe(0)
  })

  it('is JSON in a 400 when the token is bad', async () => {
    const token = storage.tokenFor({ role: 'service_role', expiresInSeconds: -1 })
    expect(await create('a.jpg', 9, { token })).toMatchObject({
      status: 400,
      json: { statusCode: '403', code: 'AccessDenied', message: '"exp" claim timestamp check failed' },
    })
  })

  it('is 412 without the protocol version', async () => {
    const upload = await begin('a.jpg')
    expect((await ask(storage, 'HEAD', upload)).status).toBe(412)
    expect((await ask(storage, 'POST', path, { headers: { 'upload-length': '5' } })).status).toBe(412)
  })

  it('is 409 for an offset that is another, and 409 for a key that is taken: the text tells', async () => {
    const upload = await begin('a.jpg')
    expect(await patch(upload, 5, content.subarray(5))).toMatchObject(plain(409, 'Upload-Offset conflict'))
    await post(storage, 'a.jpg', 'taken')
    expect(await patch(upload, 0, content)).toMatchObject(plain(409, 'The resource already exists'))
    expect(await create('a.jpg', 9)).toMatchObject(plain(409, 'The resource already exists'))
    expect(stored('a.jpg')?.etag).toBe(md5('taken'))
  })

  it('is 409 for every PATCH without x-upsert, whatever the creation said', async () => {
    await post(storage, 'a.jpg', 'taken')
    const headers = { 'x-upsert': 'true' }
    const upload = await begin('a.jpg', content.length, { headers })
    expect(await patch(upload, 0, content)).toMatchObject(plain(409, 'The resource already exists'))
    expect((await patch(upload, 0, content, { headers })).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })

  it('is 503 for an upload that another holds and does not give way', async () => {
    await open({ lockTimeoutMs: 20 })
    const upload = await begin('a.jpg')
    const { req } = await slowPatch(upload, 0, content.subarray(0, 10))
    expect(await patch(upload, 10, content.subarray(10))).toMatchObject(plain(503, 'acquiring lock timeout'))
    req.destroy()
  })
})

describe('two that overlap without upsert', () => {
  it('are both stored, and the last to finish stays', async () => {
    const [one, two] = [await begin('a.jpg'), await begin('a.jpg')]
    const first = await slowPatch(one, 0, content.subarray(0, 10))
    const other = randomBytes(content.length)
    expect((await patch(two, 0, other)).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(other))
    first.req.end(content.subarray(10))
    expect((await first.answer).statusCode).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })

  it('are not where that is asked for', async () => {
    await open({ atomicNoUpsert: true })
    const [one, two] = [await begin('a.jpg'), await begin('a.jpg')]
    const first = await slowPatch(one, 0, content.subarray(0, 10))
    const other = randomBytes(content.length)
    expect((await patch(two, 0, other)).status).toBe(204)
    first.req.end(content.subarray(10))
    expect((await first.answer).statusCode).toBe(409)
    expect(stored('a.jpg')?.etag).toBe(md5(other))
  })
})

describe('an upload that breaks off', () => {
  it('goes on where the server says it stopped', async () => {
    const upload = await begin('a.jpg')
    const { req } = await slowPatch(upload, 0, content.subarray(0, 50_000))
    req.destroy()
    await expect.poll(() => offsetOf(upload)).toBeGreaterThan(0)
    const at = await offsetOf(upload)
    expect(stored('a.jpg')).toBeUndefined()
    expect((await patch(upload, at, content.subarray(at))).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })

  it('keeps only whole parts with an S3 behind the service', async () => {
    await open({ partBytes: 10_000 })
    const upload = await begin('a.jpg')
    await patch(upload, 0, content.subarray(0, 5000))
    const { req } = await slowPatch(upload, 5000, content.subarray(5000, 49_000))
    req.destroy()
    await expect.poll(() => offsetOf(upload)).not.toBe(5000)
    const at = await offsetOf(upload)
    expect((at - 5000) % 10_000).toBe(0)
    expect((await patch(upload, at, content.subarray(at))).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })

  it('has the etag of what was kept, not of what was sent and lost', async () => {
    await open({ partBytes: 10_000 })
    const upload = await begin('a.jpg', 20_000)
    const { req } = await slowPatch(upload, 0, content.subarray(0, 15_000), 20_000)
    req.destroy()
    await expect.poll(() => offsetOf(upload)).toBe(10_000)
    const other = randomBytes(10_000)
    await patch(upload, 10_000, other.subarray(0, 5000))
    await patch(upload, 15_000, other.subarray(5000))
    expect(stored('a.jpg')?.etag).toBe(md5(Buffer.concat([content.subarray(0, 10_000), other])))
  })

  it('does so after the server was killed', async () => {
    const upload = await begin('a.jpg')
    await patch(upload, 0, content.subarray(0, 1000))
    await slowPatch(upload, 1000, content.subarray(1000, 50_000))
    await storage.restart()
    const at = await offsetOf(upload)
    expect(at).toBeGreaterThanOrEqual(1000)
    expect(at).toBeLessThanOrEqual(50_000)
    expect((await patch(upload, at, content.subarray(at))).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })
})

describe('a second client on the same upload', () => {
  it('evicts the first, which is answered 204 with a short offset', async () => {
    await open({ drainMs: 10 })
    const upload = await begin('a.jpg')
    const first = await slowPatch(upload, 0, content.subarray(0, 30_000))
    expect(await offsetOf(upload)).toBe(30_000)
    const { statusCode, headers } = await first.answer
    expect({ statusCode, offset: headers['upload-offset'] }).toEqual({ statusCode: 204, offset: '30000' })
    first.req.destroy()
    expect((await patch(upload, 30_000, content.subarray(30_000))).status).toBe(204)
    expect(stored('a.jpg')?.etag).toBe(md5(content))
  })
})

describe('the connections of the database', () => {
  it('are held by each PATCH in flight: with too many, everybody is answered 544', async () => {
    await open({ poolSize: 2, poolWaitMs: 10 })
    const uploads = [await begin('a.jpg'), await begin('b.jpg'), await begin('c.jpg')]
    const [one, two] = [
      await slowPatch(uploads[0] as string, 0, content.subarray(0, 10)),
      await slowPatch(uploads[1] as string, 0, content.subarray(0, 10)),
    ]
    const busy = { status: 544, json: { statusCode: '544', code: 'DatabaseTimeout' } }
    expect(await patch(uploads[2] as string, 0, content)).toMatchObject(busy)
    expect(await post(storage, 'd.jpg', 'x')).toMatchObject(busy)
    for (const { req } of [one, two]) req.end(content.subarray(10))
    expect((await one.answer).statusCode).toBe(204)
    expect((await post(storage, 'd.jpg', 'x')).status).toBe(200)
    expect((await patch(uploads[2] as string, 0, content)).status).toBe(204)
  })
})

describe('a policy of inserts only', () => {
  it('is enough for a resumable upload, and not for one that replaces', async () => {
    storage.policy['authenticated'] = insertOnly()
    const token = storage.tokenFor({ sub: 'u1' })
    const upload = await begin('a.jpg', content.length, { token })
    expect((await patch(upload, 0, content, { token })).status).toBe(204)
    expect(stored('a.jpg')).toMatchObject({ etag: md5(content), owner: 'u1' })
    expect((await create('b.jpg', 9, { token, headers: { 'x-upsert': 'true' } })).status).toBe(403)
  })
})
