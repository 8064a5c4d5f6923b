import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { type FaultProxy, faultProxy } from '../faults/proxy.ts'
import { base64, md5, objectPath } from './asking.ts'
import { type FakeStorage, startStorage, uploadIdOf } from './storage.ts'

let storage: FakeStorage
let proxy: FaultProxy
let dispatcher: Agent

beforeEach(async () => {
  storage = await startStorage()
  storage.createBucket('photos')
  proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
  dispatcher = new Agent({ connections: 1 })
})
afterEach(async () => {
  await dispatcher.destroy()
  await proxy.close()
  await storage.close()
})

const content = randomBytes(3_000_000)
const etagOf = (key: string): string | undefined => storage.objects('photos').get(key)?.etag

async function ask(
  method: 'POST' | 'HEAD' | 'PATCH',
  url: string,
  headers: Record<string, string>,
  body: Buffer | null = null,
): Promise<{ status: number; headers: Record<string, string | string[] | undefined> }> {
  const authorization = `Bearer ${storage.serviceKey}`
  const said = await request(url, { method, dispatcher, body, headers: { authorization, ...headers } })
  await said.body.dump()
  return { status: said.statusCode, headers: said.headers }
}

const tus = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' }

describe('the storage service behind a bad network', () => {
  it('stores an object whose answer is lost, and none whose body is cut', async () => {
    const type = { 'content-type': 'image/jpeg' }
    proxy.next({ cutAfterUp: 2_000_000 })
    await expect(ask('POST', proxy.url + objectPath('cut.jpg'), type, content)).rejects.toThrow()
    proxy.next({ loseAnswer: true })
    await expect(ask('POST', proxy.url + objectPath('lost.jpg'), type, content)).rejects.toThrow()
    expect([...storage.objects('photos').keys()]).toEqual(['lost.jpg'])
    expect(etagOf('lost.jpg')).toBe(md5(content))
  })

  it('takes a resumable upload up again where it was cut, at an address that is the proxy’s', async () => {
    const metadata = `bucketName ${base64('photos')},objectName ${base64('a.jpg')}`
    const made = await ask('POST', `${proxy.url}/storage/v1/upload/resumable`, {
      'tus-resumable': '1.0.0',
      'upload-length': String(content.length),
      'upload-metadata': metadata,
    })
    const upload = String(made.headers['location'])
    expect(upload.startsWith(proxy.url)).toBe(true)
    proxy.all({ cutAfterUp: 2_000_000 })
    await expect(ask('PATCH', upload, { ...tus, 'upload-offset': '0' }, content)).rejects.toThrow()
    proxy.all({})
    const offset = Number((await ask('HEAD', upload, tus)).headers['upload-offset'])
    expect(offset).toBeGreaterThan(1_000_000)
    const rest = await ask('PATCH', upload, { ...tus, 'upload-offset': String(offset) }, content.subarray(offset))
    expect(rest.status).toBe(204)
    expect(etagOf('a.jpg')).toBe(md5(content))
    // what was sent twice is what was on its way
    expect(storage.counters.uploadBytes.get(uploadIdOf(upload) ?? '')).toBeLessThan(content.length + 1_000_000)
  })
})
