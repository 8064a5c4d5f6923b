import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ask, askChunked, type Asked, base64, md5, objectPath, post as postTo, type Said } from './asking.ts'
import { type FakeStorage, insertOnly, startStorage, type StorageOptions, type StoredFile } from './storage.ts'

let storage: FakeStorage

const open = async (options?: StorageOptions): Promise<void> => {
  await storage?.close()
  storage = await startStorage(options)
  storage.createBucket('photos')
}
beforeEach(() => open())
afterEach(() => storage.close())

const post = (key: string, body: string | Buffer, asked?: Omit<Asked, 'body'>): Promise<Said> =>
  postTo(storage, key, body, asked)
const get = (path: string, asked?: Asked): Promise<Said> => ask(storage, 'GET', path, asked)
const send = (path: string, json: object, asked: Asked = {}): Promise<Said> =>
  ask(storage, 'POST', path, { ...asked, body: JSON.stringify(json) })
const stored = (key: string): StoredFile | undefined => storage.objects('photos').get(key)
/** Contents on the disk, besides the folder of uploads. */
const files = async (): Promise<number> => (await readdir(storage.folder)).length - 1
/** HTTP says 400, whatever the body says. */
const refused = (statusCode: string, code: string): object => ({ status: 400, json: { statusCode, code } })

describe('a whole object', () => {
  it('is stored, told of and given back', async () => {
    expect(await post('a/b.jpg', 'content', { headers: { 'x-metadata': base64('{"digest":"abc"}') } })).toMatchObject({
      status: 200,
      json: { Key: 'photos/a/b.jpg', Id: stored('a/b.jpg')?.id },
    })
    expect(stored('a/b.jpg')).toMatchObject({ bytes: 7, type: 'image/jpeg', etag: md5('content') })
    expect(await stored('a/b.jpg')?.sha256()).toBe('ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73')
    expect((await get('/storage/v1/object/info/photos/a/b.jpg')).json).toMatchObject({
      name: 'a/b.jpg',
      size: 7,
      content_type: 'image/jpeg',
      etag: md5('content'),
      metadata: { digest: 'abc' },
    })
    for (const path of ['object/photos', 'object/authenticated/photos'])
      expect(await get(`/storage/v1/${path}/a/b.jpg`)).toMatchObject({
        status: 200,
        text: 'content',
        headers: { etag: md5('content'), 'content-type': 'image/jpeg', 'content-length': '7' },
      })
  })

  it('is told of by HEAD, save for its metadata', async () => {
    await post('a.jpg', 'content', { headers: { 'x-metadata': base64('{"digest":"abc"}') } })
    const { status, headers, text } = await ask(storage, 'HEAD', objectPath('a.jpg'))
    expect({ status, text }).toEqual({ status: 200, text: '' })
    expect(headers).toMatchObject({ etag: md5('content'), 'content-length': '7', 'content-type': 'image/jpeg' })
    expect(JSON.stringify(headers)).not.toContain('abc')
    expect((await ask(storage, 'HEAD', objectPath('no.jpg'))).status).toBe(400)
  })

  it('is given from any byte on', async () => {
    await post('a.jpg', 'content')
    const range = (range: string): Promise<Said> => get(objectPath('a.jpg'), { headers: { range } })
    expect(await range('bytes=3-')).toMatchObject({
      status: 206,
      text: 'tent',
      headers: { 'content-range': 'bytes 3-6/7' },
    })
    expect(await range('bytes=1-2')).toMatchObject({ status: 206, text: 'on' })
    expect(await range('bytes=-2')).toMatchObject({ status: 206, text: 'nt' })
    expect(await range('bytes=7-')).toMatchObject(refused('400', 'InvalidRange'))
  })

  it('may be empty', async () => {
    expect((await post('empty.jpg', '')).status).toBe(200)
    expect(stored('empty.jpg')).toMatchObject({ bytes: 0, etag: md5('') })
    expect(await get(objectPath('empty.jpg'))).toMatchObject({ status: 200, text: '' })
  })

  it('under a taken key is refused', async () => {
    await post('a.jpg', 'one')
    const said = await post('a.jpg', 'two')
    expect(said.status).toBe(400)
    expect(said.json).toEqual({
      statusCode: '409',
      error: 'Duplicate',
      message: 'The resource already exists',
      code: 'KeyAlreadyExists',
    })
    expect(stored('a.jpg')?.etag).toBe(md5('one'))
  })

  it('is replaced by an upsert and by PUT, which also makes it; metadata that is not given again is gone', async () => {
    await post('a.jpg', 'one', { headers: { 'x-metadata': base64('{"digest":"abc"}') } })
    expect((await post('a.jpg', 'two', { headers: { 'x-upsert': 'true' } })).status).toBe(200)
    expect(stored('a.jpg')).toMatchObject({ etag: md5('two'), metadata: undefined })
    const headers = { 'content-type': 'image/png' }
    expect((await ask(storage, 'PUT', objectPath('a.jpg'), { body: 'three', headers })).status).toBe(200)
    expect((await ask(storage, 'PUT', objectPath('new.png'), { body: 'four', headers })).status).toBe(200)
    expect(stored('a.jpg')).toMatchObject({ etag: md5('three'), type: 'image/png' })
    expect(stored('new.png')?.bytes).toBe(4)
  })

  it('has metadata only if it is JSON, and not too much of it', async () => {
    expect((await post('a.jpg', 'one', { headers: { 'x-metadata': base64('{"digest":') } })).status).toBe(200)
    expect(stored('a.jpg')?.metadata).toBeUndefined()
    const long = base64(JSON.stringify({ name: 'x'.repeat(16 * 1024) }))
    expect((await post('b.jpg', 'two', { headers: { 'x-metadata': long } })).status).toBe(431)
    expect(stored('b.jpg')).toBeUndefined()
  })

  it('is missing with 400, and the body says of what kind', async () => {
    expect(await get(objectPath('no.jpg'))).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await get('/storage/v1/object/info/photos/no.jpg')).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await ask(storage, 'DELETE', objectPath('no.jpg'))).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await get('/storage/v1/object/nowhere/no.jpg')).toMatchObject(refused('404', 'NoSuchBucket'))
    expect(await ask(storage, 'POST', '/storage/v1/object/nowhere/no.jpg', { body: 'x' })).toMatchObject(
      refused('404', 'NoSuchBucket'),
    )
  })

  it('is removed alone and with others; what is missing is left out', async () => {
    for (const key of ['a.jpg', 'b.jpg', 'c.jpg']) await post(key, key)
    expect((await ask(storage, 'DELETE', objectPath('a.jpg'))).status).toBe(200)
    const body = JSON.stringify({ prefixes: ['b.jpg', 'no.jpg'] })
    const said = await ask(storage, 'DELETE', '/storage/v1/object/photos', { body })
    expect(said).toMatchObject({ status: 200, json: [{ name: 'b.jpg' }] })
    expect([...storage.objects('photos').keys()]).toEqual(['c.jpg'])
  })

  it('with an S3 behind it has an etag that is no MD5', async () => {
    await open({ etag: 'multipart' })
    await post('a.jpg', 'content')
    expect(stored('a.jpg')?.etag).toMatch(/^"[0-9a-f]{32}-1"$/)
    expect(stored('a.jpg')?.etag).not.toContain(md5('content').slice(1, -1))
  })
})

describe('a body that breaks off', () => {
  it('leaves nothing, and what was there before as it was', async () => {
    await post('old.jpg', 'old')
    for (const key of ['new.jpg', 'old.jpg']) {
      const socket = connect(storage.port, '127.0.0.1')
      socket.write(
        `PUT ${objectPath(key)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${storage.serviceKey}\r\nContent-Length: 100\r\n\r\nhalf`,
      )
      await expect.poll(() => storage.counters.bodyBytes.get(`photos/${key}`)).toBe(key === 'new.jpg' ? 4 : 7)
      // an early FIN
      socket.end()
      socket.resume()
      await once(socket, 'close')
    }
    expect(stored('new.jpg')).toBeUndefined()
    expect(stored('old.jpg')?.etag).toBe(md5('old'))
    await expect.poll(files).toBe(1)
    expect((await get(objectPath('old.jpg'))).text).toBe('old')
  })
})

describe('an upload without upsert', () => {
  const overlapping = async (): Promise<Said[]> => {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    async function* slow(): AsyncGenerator<string> {
      yield 'first '
      await released
      yield 'finished last'
    }
    const first = askChunked(storage, 'POST', objectPath('a.jpg'), slow(), { 'content-type': 'image/jpeg' })
    await expect.poll(() => storage.counters.bodyBytes.get('photos/a.jpg')).toBe(6)
    const second = await post('a.jpg', 'second')
    release()
    return [await first, second]
  }

  it('is not atomic: two that overlap are both stored, and the last to finish stays', async () => {
    const said = await overlapping()
    expect(said.map(({ status }) => status)).toEqual([200, 200])
    expect(stored('a.jpg')?.etag).toBe(md5('first finished last'))
  })

  it('is atomic where that is asked for', async () => {
    await open({ atomicNoUpsert: true })
    const [first, second] = await overlapping()
    expect(first).toMatchObject(refused('409', 'KeyAlreadyExists'))
    expect(second?.status).toBe(200)
    expect(stored('a.jpg')?.etag).toBe(md5('second'))
  })

  it('takes no notice of preconditions and checksums', async () => {
    const headers = { 'content-md5': base64('wrong'), 'x-amz-checksum-sha256': base64('wrong'), 'if-none-match': '*' }
    expect((await post('a.jpg', 'one', { headers })).status).toBe(200)
    expect((await post('a.jpg', 'two', { headers: { ...headers, 'x-upsert': 'true' } })).status).toBe(200)
    expect(stored('a.jpg')?.etag).toBe(md5('two'))
  })

  it('heeds them where that is asked for', async () => {
    await open({ honoursPreconditions: true })
    expect(await post('a.jpg', 'one', { headers: { 'content-md5': base64('wrong') } })).toMatchObject(
      refused('400', 'InvalidChecksum'),
    )
    const right = Buffer.from(md5('one').slice(1, -1), 'hex').toString('base64')
    expect((await post('a.jpg', 'one', { headers: { 'content-md5': right } })).status).toBe(200)
    const headers = { 'if-none-match': '*', 'x-upsert': 'true' }
    expect(await post('a.jpg', 'two', { headers })).toMatchObject(refused('409', 'KeyAlreadyExists'))
  })
})

describe('a bucket', () => {
  it('refuses what is too large by its length; a body without one gets past the limit', async () => {
    storage.createBucket('small', { fileSizeLimit: 10 })
    const path = '/storage/v1/object/small/a.jpg'
    expect(await ask(storage, 'POST', path, { body: 'x'.repeat(11) })).toMatchObject(refused('413', 'EntityTooLarge'))
    expect((await askChunked(storage, 'POST', path, ['x'.repeat(11)])).status).toBe(200)
    expect(storage.objects('small').get('a.jpg')?.bytes).toBe(11)
  })

  it('holds every body to its limit where that is asked for', async () => {
    await open({ limitsChunkedBodies: true })
    storage.createBucket('small', { fileSizeLimit: 10 })
    const said = await askChunked(storage, 'POST', '/storage/v1/object/small/a.jpg', ['x'.repeat(11)])
    expect(said).toMatchObject(refused('413', 'EntityTooLarge'))
    expect(storage.objects('small').size).toBe(0)
  })

  it('compares types as they are written', async () => {
    storage.createBucket('jpegs', { allowedMimeTypes: ['image/jpeg'] })
    const store = (headers: Record<string, string>): Promise<Said> =>
      ask(storage, 'POST', '/storage/v1/object/jpegs/a.jpg', { body: 'x', headers })
    for (const type of ['image/jpg', 'image/jpeg; charset=binary'])
      expect(await store({ 'content-type': type })).toMatchObject(refused('415', 'InvalidMimeType'))
    expect(await store({})).toMatchObject(refused('415', 'InvalidMimeType'))
    expect((await store({ 'content-type': 'image/jpeg' })).status).toBe(200)
  })

  it('is made, found and listed', async () => {
    expect((await send('/storage/v1/bucket', { name: 'new', file_size_limit: 5 })).status).toBe(200)
    expect(await send('/storage/v1/bucket', { name: 'new' })).toMatchObject(refused('409', 'BucketAlreadyExists'))
    expect((await get('/storage/v1/bucket/new')).json).toMatchObject({ id: 'new', file_size_limit: 5 })
    expect((await get('/storage/v1/bucket')).json).toMatchObject([{ name: 'photos' }, { name: 'new' }])
    expect(await get('/storage/v1/bucket/no')).toMatchObject(refused('404', 'NoSuchBucket'))
    expect((await get('/storage/v1/bucket', { token: storage.anonKey })).json).toEqual([])
  })
})

describe('a key', () => {
  it('is made of some characters of ASCII', async () => {
    const key = "Az_09/!.*'() &$=@;:+,?-"
    expect((await post(encodeURIComponent(key), 'x')).json).toMatchObject({ Key: `photos/${key}` })
    expect(stored(key)?.bytes).toBe(1)
  })

  it.each([...'#%~[]{}\\"<>|^`', 'ä', '☃'])('does not hold %s', async (character) => {
    expect(await post(encodeURIComponent(`a${character}b`), 'x')).toMatchObject(refused('400', 'InvalidKey'))
  })

  it.each(['../photos/a', 'a/../b', './a', 'a/.'])('does not leave its place: %s', async (key) => {
    expect(await post(encodeURIComponent(key), 'x')).toMatchObject(refused('400', 'InvalidKey'))
  })

  it('has segments of 255 bytes at most, which the server learns from its file system', async () => {
    expect((await post(`a/${'x'.repeat(255)}`, 'x')).status).toBe(200)
    expect((await post(Array.from({ length: 5 }, () => 'y'.repeat(220)).join('/'), 'x')).status).toBe(200)
    expect(await post(`a/${'x'.repeat(300)}`, 'x')).toMatchObject({ status: 500, json: { code: 'InternalError' } })
  })
})

describe('a token', () => {
  it('that is bad or expired is refused alike; only the message tells which', async () => {
    const expired = storage.tokenFor({ role: 'service_role', expiresInSeconds: -1 })
    expect(await post('a.jpg', 'x', { token: expired })).toMatchObject({
      ...refused('403', 'AccessDenied'),
      json: { message: '"exp" claim timestamp check failed', error: 'Unauthorized' },
    })
    await using other = await startStorage()
    expect(await post('a.jpg', 'x', { token: other.serviceKey })).toMatchObject({
      ...refused('403', 'AccessDenied'),
      json: { message: 'signature verification failed' },
    })
    expect(await post('a.jpg', 'x', { token: 'nonsense' })).toMatchObject(refused('403', 'AccessDenied'))
    expect((await post('a.jpg', 'x', { token: null })).status).toBe(400)
    expect(storage.objects('photos').size).toBe(0)
  })

  it('of a role that the database does not know is an error of the database', async () => {
    const said = await post('a.jpg', 'x', { token: storage.tokenFor({ role: 'stranger' }) })
    expect(said).toMatchObject({ status: 500, json: { code: 'DatabaseError', statusCode: '500' } })
  })
})

describe('row-level security', () => {
  const asUser = (asked: Asked = {}): Asked => ({ ...asked, token: storage.tokenFor({ sub: 'u1' }) })

  it('lets nobody but the service in at first', async () => {
    expect(await post('a.jpg', 'x', asUser())).toMatchObject({
      ...refused('403', 'AccessDenied'),
      json: { message: 'new row violates row-level security policy' },
    })
  })

  it('that allows only inserts is enough to store, and shows nothing of it', async () => {
    storage.policy['authenticated'] = insertOnly()
    expect((await post('a.jpg', 'x', asUser())).status).toBe(200)
    expect(stored('a.jpg')?.owner).toBe('u1')
    expect(await post('a.jpg', 'y', asUser())).toMatchObject(refused('409', 'KeyAlreadyExists'))
    const upsert = asUser({ headers: { 'x-upsert': 'true' } })
    expect(await post('b.jpg', 'x', upsert)).toMatchObject(refused('403', 'AccessDenied'))
    expect(await get('/storage/v1/object/info/photos/a.jpg', asUser())).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await get(objectPath('a.jpg'), asUser())).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await send('/storage/v1/object/list/photos', { prefix: '' }, asUser())).toMatchObject({
      status: 200,
      json: [],
    })
    expect((await send('/storage/v1/object/list-v2/photos', {}, asUser())).json).toMatchObject({ objects: [] })
    const body = JSON.stringify({ prefixes: ['a.jpg'] })
    expect((await ask(storage, 'DELETE', '/storage/v1/object/photos', asUser({ body }))).json).toEqual([])
    const move = { bucketId: 'photos', sourceKey: 'a.jpg', destinationKey: 'b.jpg' }
    expect(await send('/storage/v1/object/move', move, asUser())).toMatchObject(refused('404', 'NoSuchKey'))
    expect(stored('a.jpg')).toBeDefined()
  })
})

describe('listing', () => {
  const names = (said: Said): unknown[] => (said.json as unknown as { name: string }[]).map(({ name }) => name)

  it('shows a folder, with its folders', async () => {
    for (const key of ['top.jpg', 'x/a.jpg', 'x/b.jpg', 'x/y/c.jpg', 'xx.jpg']) await post(key, key)
    const top = await send('/storage/v1/object/list/photos', { prefix: '' })
    expect(names(top)).toEqual(['top.jpg', 'x', 'xx.jpg'])
    const folder = await send('/storage/v1/object/list/photos', { prefix: 'x' })
    expect(folder.json).toMatchObject([
      { name: 'a.jpg', metadata: { size: 7, eTag: md5('x/a.jpg'), mimetype: 'image/jpeg' } },
      { name: 'b.jpg' },
      { name: 'y', id: null, metadata: null },
    ])
    expect(names(await send('/storage/v1/object/list/photos', { prefix: 'x/', limit: 1, offset: 1 }))).toEqual([
      'b.jpg',
    ])
  })

  it('gives 1,500 at most, or 1,000 from a cursor on, however many are asked for', async () => {
    await post('first', 'x')
    const file = stored('first') as StoredFile
    const objects = storage.objects('photos') as Map<string, StoredFile>
    for (let n = 0; n < 1600; n++) objects.set(`f/${String(n).padStart(5, '0')}`, file)
    expect(await send('/storage/v1/object/list/photos', { prefix: 'f' })).toHaveProperty('json.length', 100)
    const many = { prefix: 'f', limit: 5000 }
    expect(await send('/storage/v1/object/list/photos', many)).toHaveProperty('json.length', 1500)
    expect(await send('/storage/v1/object/list/photos', { ...many, offset: 1500 })).toHaveProperty('json.length', 100)

    const first = (await send('/storage/v1/object/list-v2/photos', { prefix: 'f/', limit: 5000 })).json
    expect(first).toMatchObject({ hasNext: true, objects: { length: 1000, 0: { key: 'f/00000' } } })
    const cursor = first['nextCursor']
    const second = (await send('/storage/v1/object/list-v2/photos', { prefix: 'f/', limit: 5000, cursor })).json
    expect(second).toMatchObject({ hasNext: false, objects: { length: 600, 0: { key: 'f/01000' } } })
  })

  it('by a cursor takes any beginning of a key, and folders where they are asked for', async () => {
    for (const key of ['x/a.jpg', 'x/y/c.jpg', 'xx.jpg', 'z.jpg']) await post(key, key)
    const keys = async (json: object): Promise<unknown> => (await send('/storage/v1/object/list-v2/photos', json)).json
    expect(await keys({ prefix: 'x' })).toMatchObject({
      folders: [],
      objects: [{ key: 'x/a.jpg', metadata: { size: 7 } }, { key: 'x/y/c.jpg' }, { key: 'xx.jpg' }],
    })
    expect(await keys({ prefix: 'x', with_delimiter: true })).toMatchObject({
      folders: [{ key: 'x/' }],
      objects: [{ key: 'xx.jpg' }],
    })
  })

  it('of a bucket that is missing is empty', async () => {
    expect(await send('/storage/v1/object/list/nowhere', { prefix: '' })).toMatchObject({ status: 200, json: [] })
    expect(await send('/storage/v1/object/list-v2/nowhere', {})).toMatchObject({ status: 200, json: { objects: [] } })
  })
})

describe('move and copy', () => {
  const relocate = (how: string, sourceKey: string, destinationKey: string): Promise<Said> =>
    send(`/storage/v1/object/${how}`, { bucketId: 'photos', sourceKey, destinationKey })

  it('keep content and metadata', async () => {
    await post('a.jpg', 'content', { headers: { 'x-metadata': base64('{"digest":"abc"}') } })
    expect((await relocate('copy', 'a.jpg', 'b.jpg')).json).toMatchObject({ Key: 'photos/b.jpg' })
    expect((await relocate('move', 'a.jpg', 'c/d.jpg')).status).toBe(200)
    expect(stored('a.jpg')).toBeUndefined()
    for (const key of ['b.jpg', 'c/d.jpg']) {
      expect(stored(key)).toMatchObject({ etag: md5('content'), metadata: { digest: 'abc' } })
      expect((await get(objectPath(key))).text).toBe('content')
    }
  })

  it.each(['move', 'copy'])('%s does not replace, and does not make up', async (how) => {
    await post('a.jpg', 'one')
    await post('b.jpg', 'two')
    expect(await relocate(how, 'a.jpg', 'b.jpg')).toMatchObject(refused('409', 'KeyAlreadyExists'))
    expect(await relocate(how, 'no.jpg', 'c.jpg')).toMatchObject(refused('404', 'NoSuchKey'))
    expect(await relocate(how, 'a.jpg', '../x')).toMatchObject(refused('400', 'InvalidKey'))
    expect(stored('b.jpg')?.etag).toBe(md5('two'))
  })
})

describe('a signed upload', () => {
  const sign = async (key: string): Promise<string> =>
    String((await ask(storage, 'POST', `/storage/v1/object/upload/sign/photos/${key}`)).json['url'])
  const put = (url: string): Promise<Said> => ask(storage, 'PUT', `/storage/v1${url}`, { body: 'x', token: null })

  it('needs no other token, and works once', async () => {
    const url = await sign('a/b.jpg')
    expect(await put(url)).toMatchObject({ status: 200, json: { Key: 'photos/a/b.jpg' } })
    expect(await put(url)).toMatchObject(refused('409', 'KeyAlreadyExists'))
  })

  it('is bound to its path', async () => {
    const url = await sign('a.jpg')
    expect(await put(url.replace('a.jpg', 'b.jpg'))).toMatchObject(refused('400', 'InvalidSignature'))
    expect((await put(url.split('?')[0] as string)).status).toBe(400)
    expect(storage.objects('photos').size).toBe(0)
  })
})

describe('an object that is locked', () => {
  it('is refused after a while, with 503 in a 400', async () => {
    await open({ lockTimeoutMs: 20 })
    const release = await storage.lock('photos', 'a.jpg')
    expect(await post('a.jpg', 'x')).toMatchObject(refused('503', 'LockTimeout'))
    expect(stored('a.jpg')).toBeUndefined()
    expect(await files()).toBe(0)
    release()
    expect((await post('a.jpg', 'x')).status).toBe(200)
  })
})

describe('a restart', () => {
  it('keeps address and objects, and cuts what is under way', async () => {
    await post('a.jpg', 'content')
    const socket = connect(storage.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.resume()
    const closed = once(socket, 'close')
    await storage.restart()
    await closed
    expect((await get(objectPath('a.jpg'))).text).toBe('content')
  })
})

describe('counters', () => {
  it('tell requests by route, and bytes by key', async () => {
    await post('a/b.jpg', 'content')
    await post('a/b.jpg', 'again')
    await get('/storage/v1/object/info/photos/a/b.jpg')
    await send('/storage/v1/object/list/photos', {})
    await get('/nowhere')
    expect(Object.fromEntries(storage.counters.requests)).toEqual({
      'POST /object': 2,
      'GET /object/info': 1,
      'POST /object/list': 1,
      'GET ?': 1,
    })
    expect(storage.counters.bodyBytes.get('photos/a/b.jpg')).toBeGreaterThanOrEqual(7)
    storage.counters.reset()
    expect(storage.counters.requests.size).toBe(0)
  })
})
