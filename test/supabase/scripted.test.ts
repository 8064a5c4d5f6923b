import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ask, base64, md5, objectPath, post as postTo, type Said } from './asking.ts'
import { type FakeStorage, startStorage, underLoad } from './storage.ts'

let storage: FakeStorage

beforeEach(async () => {
  storage = await startStorage()
  storage.createBucket('photos')
})
afterEach(() => storage.close())

const post = (key: string, body: string | Buffer): Promise<Said> => postTo(storage, key, body)
const etagOf = (key: string): string | undefined => storage.objects('photos').get(key)?.etag
const a = objectPath('a.jpg')

describe('a scripted fault', () => {
  it('strikes the nth request that matches, so many times', async () => {
    const fault = storage.fault({ method: 'POST', path: /\/photos\//, nth: 2, times: 2 }, underLoad.internalError)
    const said = []
    // oxlint-disable-next-line no-await-in-loop -- in order
    for (const key of ['a', 'b', 'c', 'd']) said.push((await post(key, 'x')).status)
    expect(said).toEqual([200, 500, 500, 200])
    expect(fault.hits).toBe(2)
    expect([...storage.objects('photos').keys()]).toEqual(['a', 'd'])
  })

  it('strikes only what matches, and nothing once it is removed', async () => {
    const fault = storage.fault(
      { path: a, times: Infinity, when: ({ method }) => method === 'PUT' },
      underLoad.slowDown,
    )
    expect((await post('a.jpg', 'x')).status).toBe(200)
    expect((await ask(storage, 'PUT', a, { body: 'x' })).status).toBe(429)
    fault.remove()
    expect((await ask(storage, 'PUT', a, { body: 'x' })).status).toBe(200)
    storage.fault({ times: Infinity }, underLoad.slowDown)
    storage.clearFaults()
    expect((await ask(storage, 'GET', a)).status).toBe(200)
  })

  it.each([
    ['slowDown', 429, '429', 'SlowDown'],
    ['lockTimeout', 400, '503', 'LockTimeout'],
    ['databaseTimeout', 544, '544', 'DatabaseTimeout'],
    ['internalError', 500, '500', 'InternalError'],
  ] as const)('says what the service says under load: %s', async (name, status, statusCode, code) => {
    storage.fault({}, underLoad[name])
    const said = await post('a.jpg', 'x')
    expect(said).toMatchObject({ status, json: { statusCode, code } })
    expect(said.headers['retry-after']).toBeUndefined()
    expect((await post('a.jpg', 'x')).status).toBe(200)
  })

  it('may say anything, before the body or after it', async () => {
    storage.fault({}, { do: 'answer', status: 503, body: 'busy', headers: { 'retry-after': '1' }, when: 'after-body' })
    storage.fault({}, { do: 'answer', status: 502 })
    expect(await post('a.jpg', 'x'.repeat(100_000))).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect((await post('a.jpg', 'x')).status).toBe(502)
    expect(storage.objects('photos').size).toBe(0)
  })

  it('resets the connection before the body and after it, and nothing is stored', async () => {
    storage.fault({}, { do: 'reset', when: 'before-body' })
    await expect(post('a.jpg', 'x')).rejects.toThrow()
    storage.fault({}, { do: 'reset', when: 'after-body' })
    await expect(post('a.jpg', 'x')).rejects.toThrow()
    expect(storage.objects('photos').size).toBe(0)
  })

  it('loses the last answer: the object is stored, and a second try is told that it is taken', async () => {
    storage.fault({ method: 'POST' }, { do: 'reset', when: 'after-stored' })
    await expect(post('a.jpg', 'content')).rejects.toThrow()
    expect(etagOf('a.jpg')).toBe(md5('content'))
    expect((await post('a.jpg', 'content')).json).toMatchObject({ statusCode: '409' })
  })

  it('loses the last answer of a resumable upload too', async () => {
    const tus = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' }
    const metadata = `bucketName ${base64('photos')},objectName ${base64('a.jpg')}`
    const made = await ask(storage, 'POST', '/storage/v1/upload/resumable', {
      headers: { ...tus, 'upload-length': '7', 'upload-metadata': metadata },
    })
    storage.fault({ method: 'PATCH' }, { do: 'reset', when: 'after-stored' })
    const { pathname } = new URL(String(made.headers['location']))
    const headers = { ...tus, 'upload-offset': '0' }
    await expect(ask(storage, 'PATCH', pathname, { body: 'content', headers })).rejects.toThrow()
    expect(etagOf('a.jpg')).toBe(md5('content'))
    expect(await ask(storage, 'PATCH', pathname, { body: 'content', headers })).toMatchObject({
      status: 409,
      text: 'The resource already exists',
    })
  })

  it('cuts a body after so many bytes', async () => {
    storage.fault({}, { do: 'cut', afterBytes: 1000 })
    await expect(post('a.jpg', 'x'.repeat(1_000_000))).rejects.toThrow()
    expect(storage.objects('photos').size).toBe(0)
    expect((await post('a.jpg', 'x')).status).toBe(200)
  })

  it('stalls in a body, or after it: the connection stays, and nobody speaks', async () => {
    for (const action of [{ do: 'stall', afterBytes: 2 } as const, { do: 'stall-answer' } as const]) {
      storage.fault({}, action)
      const socket = connect(storage.port, '127.0.0.1')
      const head = `POST ${objectPath(action.do)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${storage.serviceKey}\r\n`
      socket.write(`${head}Content-Length: 7\r\n\r\ncontent`)
      await expect.poll(() => storage.counters.bodyBytes.get(`photos/${action.do}`)).toBe(7)
      await expect.poll(() => etagOf('stall-answer')).toBe(action.do === 'stall' ? undefined : md5('content'))
      // another request passes it, and still nothing has come
      expect((await ask(storage, 'GET', '/storage/v1/bucket')).status).toBe(200)
      expect({ bytesRead: socket.bytesRead, ended: socket.readableEnded }).toEqual({ bytesRead: 0, ended: false })
      socket.destroy()
      await once(socket, 'close')
    }
    expect(etagOf('stall')).toBeUndefined()
  })

  it('holds a request, or its answer, until it is told', async () => {
    let release = (): void => {}
    const until = new Promise<void>((resolve) => (release = resolve))
    storage.fault({ path: a }, { do: 'hold', until })
    storage.fault({ path: objectPath('b.jpg') }, { do: 'hold-answer', until })
    const held = [post('a.jpg', 'x'), post('b.jpg', 'x')]
    await expect.poll(() => etagOf('b.jpg')).toBe(md5('x'))
    expect(etagOf('a.jpg')).toBeUndefined()
    release()
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200])
    expect(etagOf('a.jpg')).toBe(md5('x'))
  })
})
