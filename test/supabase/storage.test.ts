import { createHash, randomBytes } from 'node:crypto'
import { createClient } from '@supabase/supabase-js'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { type FakeStorage, startStorage, type StorageOptions } from './storage.ts'

let storage: FakeStorage

const open = async (options?: StorageOptions): Promise<void> => {
  await storage?.close()
  storage = await startStorage(options)
  storage.createBucket('photos')
}
beforeEach(() => open())
afterEach(() => storage.close())

interface Said {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  json: Record<string, unknown>
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

async function ask(
  method: Method,
  path: string,
  options: { body?: string | Buffer | null; headers?: Record<string, string>; token?: string | null } = {},
): Promise<Said> {
  const token = options.token === undefined ? storage.serviceKey : options.token
  const { statusCode, headers, body } = await request(storage.url + path, {
    method,
    body: options.body ?? null,
    headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...options.headers },
  })
  const text = await body.text()
  return { status: statusCode, headers, text, json: parsed(text) }
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

const object = (key: string): string => `/storage/v1/object/photos/${key}`
const post = (key: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Said> =>
  ask('POST', object(key), { body, headers: { 'content-type': 'image/jpeg', ...headers } })
const stored = (key: string) => storage.objects('photos').get(key)
const md5 = (content: string | Buffer): string => `"${createHash('md5').update(content).digest('hex')}"`

const tusPath = '/storage/v1/upload/resumable'
const tus = { 'tus-resumable': '1.0.0' }
const b64 = (text: string): string => Buffer.from(text).toString('base64')
const names = (key: string, more = ''): string =>
  `bucketName ${b64('photos')},objectName ${b64(key)},contentType ${b64('image/jpeg')}${more}`

const create = (key: string, bytes: number, headers: Record<string, string> = {}): Promise<Said> =>
  ask('POST', tusPath, {
    headers: { ...tus, 'upload-length': String(bytes), 'upload-metadata': names(key), ...headers },
  })
const patch = (
  said: Said,
  offset: number,
  body: Buffer | string,
  headers: Record<string, string> = {},
): Promise<Said> =>
  ask('PATCH', new URL(String(said.headers['location'])).pathname, {
    body,
    headers: {
      ...tus,
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
      ...headers,
    },
  })

describe('whole objects', () => {
  it('are stored, told of and given back', async () => {
    const said = await post('a/b.jpg', 'content', { 'x-metadata': b64('{"digest":"abc"}') })
    expect(said).toMatchObject({ status: 200, json: { Key: 'photos/a/b.jpg' } })
    expect(stored('a/b.jpg')).toMatchObject({ bytes: 7, type: 'image/jpeg', etag: md5('content') })
    const told = await ask('GET', '/storage/v1/object/info/photos/a/b.jpg')
    expect(told.json).toMatchObject({
      size: 7,
      content_type: 'image/jpeg',
      etag: md5('content'),
      metadata: { digest: 'abc' },
    })
    expect((await ask('GET', object('a/b.jpg'))).text).toBe('content')
  })

  it('under a taken key are refused with 400, and the body says 409', async () => {
    await post('a.jpg', 'one')
    const said = await post('a.jpg', 'two')
    expect(said.status).toBe(400)
    expect(said.json).toEqual({
      statusCode: '409',
      error: 'Duplicate',
      message: 'The resource already exists',
      code: 'KeyAlreadyExists',
    })
  })
})

describe('resumable uploads', () => {
  it('are invisible until the last byte', async () => {
    const content = randomBytes(100_000)
    const made = await create('big.jpg', content.length)
    expect(made.status).toBe(201)
    const first = await patch(made, 0, content.subarray(0, 40_000))
    expect(first).toMatchObject({ status: 204, headers: { 'upload-offset': '40000' } })
    expect(stored('big.jpg')).toBeUndefined()
    expect((await patch(made, 40_000, content.subarray(40_000))).status).toBe(204)
    expect(stored('big.jpg')).toMatchObject({ bytes: content.length, etag: md5(content) })
  })
})

describe('supabase-js', () => {
  it('uploads, downloads, lists, moves, and asks', async () => {
    const photos = createClient(storage.url, storage.serviceKey).storage.from('photos')
    const sent = await photos.upload('x/a.jpg', Buffer.from('hello'), {
      contentType: 'image/jpeg',
      metadata: { digest: 'abc' },
    })
    expect(sent.data).toMatchObject({ path: 'x/a.jpg', fullPath: 'photos/x/a.jpg' })
    expect(await (await photos.download('x/a.jpg')).data?.text()).toBe('hello')
    expect((await photos.list('x')).data).toMatchObject([{ name: 'a.jpg', metadata: { size: 5 } }])
    expect((await photos.list()).data).toMatchObject([{ name: 'x', id: null }])
    expect((await photos.move('x/a.jpg', 'y/b.jpg')).error).toBeNull()
    expect((await photos.info('y/b.jpg')).data).toMatchObject({ size: 5, contentType: 'image/jpeg' })
    expect((await photos.exists('x/a.jpg')).data).toBe(false)
  })
})
