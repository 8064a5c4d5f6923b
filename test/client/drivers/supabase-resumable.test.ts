import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Destination, Resumable, ResumeToken, Source } from '../../../src/client/destination.ts'
import { supabaseDestination } from '../../../src/client/drivers/supabase.ts'
import { fixedCredentials } from '../../../src/client/http/credentials.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { LuminaError } from '../../../src/errors.ts'
import { call, codeOf, failureOf } from '../../contract/calls.ts'
import { content, sourceOf } from '../../contract/sources.ts'
import { faultProxy } from '../../faults/proxy.ts'
import { type FakeStorage, insertOnly, startStorage, type StorageOptions, uploadIdOf } from '../../supabase/storage.ts'

const pieceBytes = 6 * 1024 * 1024
const patches = { method: 'PATCH' }

let storage: FakeStorage
let opened: Destination[]

interface Opening {
  url?: string
  key?: string
}

/** A driver of its own, as another process has one. */
function open({ url = storage.url, key = storage.serviceKey }: Opening = {}): Destination {
  const made = supabaseDestination({ url, bucket: 'photos', credentials: fixedCredentials(key) })
  opened.push(made)
  return made
}

async function start(options: StorageOptions = {}): Promise<void> {
  await storage?.close()
  storage = await startStorage({ drainMs: 10, poolSize: 1000, ...options })
  storage.createBucket('photos')
}

beforeEach(async () => {
  opened = []
  await start()
})
afterEach(async () => {
  for (const each of opened) await each.close?.()
  await storage.close()
})

const inPieces = ({ resumable }: Destination): Resumable => {
  if (!resumable) throw new Error('It takes transfers in pieces.')
  return resumable
}
/** Asks again at once. */
const patient = (inner: Destination): Destination => retryLayer({ retries: 4, random: () => 0 })(inner)
const photo = (bytes: Uint8Array): Source => ({
  ...sourceOf(bytes),
  digest: createHash('sha256').update(bytes).digest('hex'),
})
const etagOf = (key: string): string | undefined => storage.objects('photos').get(key)?.etag
const md5 = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`
/** Body bytes that the service has heard of a transfer. */
const heard = (token: ResumeToken): number =>
  storage.counters.uploadBytes.get(uploadIdOf(String(token['upload'])) ?? '') ?? 0

const all = content(2 * pieceBytes + 1000)
const source = photo(all)

/** Sends the whole, as a lane does. */
async function send(destination: Destination, token: ResumeToken, from?: number): Promise<void> {
  const resumable = inPieces(destination)
  let offset = from ?? (await resumable.offset(token, source, call()))
  while (offset !== undefined && offset < all.length) offset = await resumable.append(token, source, offset, call())
  await resumable.finish(token, 'a.jpg', source, call())
}

describe('a transfer in pieces', () => {
  it('goes out in pieces of 6 MiB, each byte once, and has its kind and notes', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    expect(heard(token)).toBe(0)
    await send(destination, token, 0)
    expect(storage.counters.requests.get('PATCH /upload/resumable')).toBe(3)
    expect(heard(token)).toBe(all.length)
    expect(storage.objects('photos').get('a.jpg')).toMatchObject({
      type: 'image/jpeg',
      etag: md5(all),
      metadata: { digest: source.digest },
    })
  })

  it('is found again by a token that holds no host and no secret', async () => {
    await start({ productionLocation: true })
    const token = await inPieces(open()).begin('a.jpg', source, call())
    expect(token).toMatchObject({ key: 'a.jpg', bytes: all.length })
    expect(JSON.stringify(token)).not.toMatch(/https?:/)
    expect(JSON.stringify(token)).not.toContain(storage.serviceKey)
    // a Location that says https, of a service that speaks http
    await send(open(), token)
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('goes on after a cut, and sends no more than a piece again', async () => {
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    const token = await inPieces(open()).begin('a.jpg', source, call())
    proxy.next({ cutAfterUp: pieceBytes + 2_000_000 })
    await failureOf(send(open({ url: proxy.url }), token, 0))
    await send(open(), token)
    expect(etagOf('a.jpg')).toBe(md5(all))
    expect(heard(token)).toBeLessThanOrEqual(all.length + pieceBytes)
  })

  it('goes on in the same call, where what broke may pass', async () => {
    const destination = patient(open())
    const token = await inPieces(destination).begin('a.jpg', source, call())
    storage.fault({ ...patches, nth: 2 }, { do: 'cut', afterBytes: 1_000_000 })
    await send(destination, token, 0)
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('believes the offset that comes back, not the one it was at', async () => {
    const token = await inPieces(open()).begin('a.jpg', source, call())
    storage.fault(patches, { do: 'answer', status: 204, headers: { 'upload-offset': '0' }, when: 'after-body' })
    expect(await inPieces(open()).append(token, source, 0, call())).toBe(0)
    await send(open(), token)
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('asks again where it is, after a conflict of offsets', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    const error = await failureOf(inPieces(destination).append(token, source, 500, call()))
    expect(error.retry).toBe('transient')
    await send(patient(open()), token, 500)
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('tells a name that somebody else was given meanwhile from a conflict of offsets', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    const theirs = content(10)
    await destination.put('a.jpg', photo(theirs), call())
    expect(await codeOf(inPieces(destination).append(token, source, 0, call()))).toBe('key-taken')
    expect(await codeOf(inPieces(destination).begin('a.jpg', source, call()))).toBe('key-taken')
    expect(etagOf('a.jpg')).toBe(md5(theirs))
  })

  it('is whole when only its last answer was lost', async () => {
    const destination = patient(open())
    const token = await inPieces(destination).begin('a.jpg', source, call())
    storage.fault({ ...patches, nth: 3 }, { do: 'reset', when: 'after-stored' })
    await send(destination, token, 0)
    expect([...storage.objects('photos').keys()]).toEqual(['a.jpg'])
    expect(heard(token)).toBe(all.length)
  })

  it('is whole when the service has forgotten it since, and holds the object', async () => {
    const token = await inPieces(open()).begin('a.jpg', source, call())
    await inPieces(open()).append(token, source, 0, call())
    storage.fault({ method: 'HEAD', path: /upload\/resumable/, times: 10 }, { do: 'answer', status: 404 })
    const another = inPieces(open())
    expect(await another.offset(token, source, call())).toBe(all.length)
    expect(await another.finish(token, 'a.jpg', source, call())).toMatchObject({ bytes: all.length })
  })

  it('is forgotten when the service has, and another content has its name', async () => {
    const token = await inPieces(open()).begin('a.jpg', source, call())
    storage.fault({ method: 'HEAD', path: /upload\/resumable/, times: 10 }, { do: 'answer', status: 404 })
    expect(await inPieces(open()).offset(token, source, call())).toBeUndefined()
    await open().put('a.jpg', photo(content(10)), call())
    expect(await inPieces(open()).offset(token, source, call())).toBeUndefined()
    expect(await codeOf(inPieces(open()).finish(token, 'a.jpg', source, call()))).toBe('not-found')
  })

  it('is forgotten once it has expired', async () => {
    await start({ uploadExpiryMs: 1 })
    const token = await inPieces(open()).begin('a.jpg', source, call())
    const another = inPieces(open())
    await expect.poll(() => another.offset(token, source, call())).toBeUndefined()
    await another.abort(token, call())
  })

  it('loses what a service with parts loses, and goes on from there', async () => {
    await start({ partBytes: 5 * 1024 * 1024 })
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    const token = await inPieces(open()).begin('a.jpg', source, call())
    proxy.next({ cutAfterUp: 3_000_000 })
    await failureOf(send(open({ url: proxy.url }), token, 0))
    await send(open(), token)
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('takes what a busy service says for something that passes', async () => {
    await start({ lockTimeoutMs: 20 })
    const token = await inPieces(open()).begin('a.jpg', source, call())
    for (const status of [423, 429, 500, 503, 544]) {
      storage.fault(patches, { do: 'answer', status, body: 'busy' })
      expect(await failureOf(inPieces(open()).append(token, source, 0, call()))).toMatchObject({
        code: 'destination-busy',
        retry: 'transient',
      })
    }
    storage.fault(patches, { do: 'answer', status: 413, body: 'Maximum size exceeded\n' })
    expect(await codeOf(inPieces(open()).append(token, source, 0, call()))).toBe('too-large')
  })

  it('does not become visible when the file turns out to be another at its end', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    const error = new LuminaError('changed-while-reading', 'It is another.')
    const changing: Source = {
      ...source,
      read(into, offset) {
        const got = source.read(into, offset)
        if (offset + Number(got) === all.length) throw error
        return got
      },
    }
    await expect(inPieces(destination).append(token, changing, 0, call())).rejects.toBe(error)
    expect(storage.objects('photos').size).toBe(0)
    await inPieces(destination).abort(token, call())
    expect(await inPieces(destination).offset(token, source, call())).toBeUndefined()
  })

  it('is refused when the service holds other bytes than were sent', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    await inPieces(destination).append(token, source, 0, call())
    const stored = storage.objects('photos').get('a.jpg')
    if (!stored) throw new Error('It was stored.')
    Object.assign(stored, { etag: md5(content(5)) })
    expect(await codeOf(inPieces(destination).finish(token, 'a.jpg', source, call()))).toBe('checksum-mismatch')
  })

  it('leaves nothing open that was cut by the run’s end', async () => {
    const destination = open()
    const token = await inPieces(destination).begin('a.jpg', source, call())
    storage.fault(patches, { do: 'stall', afterBytes: 100_000 })
    const ctx = call()
    const sending = codeOf(inPieces(destination).append(token, source, 0, ctx))
    await expect.poll(() => heard(token)).toBeGreaterThanOrEqual(100_000)
    ctx.abort()
    expect(await sending).toBe('interrupted')
  })
})

describe('for a login that may only insert', () => {
  it('a transfer that came to its end unseen has its name, and no other is made of it', async () => {
    storage.policy['anon'] = insertOnly()
    const blind = open({ key: storage.anonKey })
    const token = await inPieces(blind).begin('a.jpg', source, call())
    storage.fault({ ...patches, nth: 3 }, { do: 'reset', when: 'after-stored' })
    await failureOf(inPieces(blind).append(token, source, 0, call()))
    storage.fault({ method: 'HEAD', path: /upload\/resumable/, times: 10 }, { do: 'answer', status: 404 })
    expect(await inPieces(blind).offset(token, source, call())).toBeUndefined()
    // the pipeline takes this, of what it is not shown, for unconfirmed
    expect(await codeOf(inPieces(blind).begin('a.jpg', source, call()))).toBe('key-taken')
    expect(await blind.stat('a.jpg', call())).toBeUndefined()
    expect(etagOf('a.jpg')).toBe(md5(all))
  })
})
