import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Destination, Source } from '../../../src/client/destination.ts'
import { supabaseDestination } from '../../../src/client/drivers/supabase.ts'
import { type Credentials, fixedCredentials } from '../../../src/client/http/credentials.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { call, codeOf, failureOf } from '../../contract/calls.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { faultProxy } from '../../faults/proxy.ts'
import {
  type Action,
  type FakeStorage,
  insertOnly,
  startStorage,
  type StorageOptions,
  type StoredFile,
  underLoad,
} from '../../supabase/storage.ts'

let storage: FakeStorage
let destination: Destination
let opened: Destination[]

interface Opening {
  url?: string
  bucket?: string
  credentials?: Credentials
}

/** A driver of its own, as another process has one. */
function open({ url = storage.url, bucket = 'photos', credentials }: Opening = {}): Destination {
  const made = supabaseDestination({ url, bucket, credentials: credentials ?? fixedCredentials(storage.serviceKey) })
  opened.push(made)
  return made
}

async function start(options: StorageOptions = {}): Promise<void> {
  await storage?.close()
  storage = await startStorage({ drainMs: 10, poolSize: 1000, ...options })
  storage.createBucket('photos')
  destination = open()
}

beforeEach(async () => {
  opened = []
  await start()
})
afterEach(async () => {
  for (const each of opened) await each.close?.()
  await storage.close()
})

/** Asks again at once. */
const patient = (inner: Destination): Destination => retryLayer({ retries: 4, random: () => 0 })(inner)

/** As the pipeline gives it: with a digest, and with notes. */
function photo(bytes: Uint8Array, more: Partial<Source> = {}): Source {
  return { ...sourceOf(bytes), digest: createHash('sha256').update(bytes).digest('hex'), ...more }
}

const md5 = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`
const etagOf = (key: string): string | undefined => storage.objects('photos').get(key)?.etag
const requests = (route: string): number => storage.counters.requests.get(route) ?? 0
/** One that is sent from a buffer, and one that is sent as it is read. */
const sizes = [1000, 700_000]
const small = content(1000)

describe('what is stored', () => {
  it.each(sizes)('has the kind as it was sniffed, and its notes beside it (%i bytes)', async (bytes) => {
    const all = content(bytes)
    const modifiedMs = Date.UTC(2024, 1, 2, 3, 4, 5)
    const source = photo(all, { name: 'Über.JPG', modifiedMs, takenAt: '2024-02-02T04:04:05' })
    await destination.put('a.jpg', source, call())
    expect(storage.objects('photos').get('a.jpg')).toMatchObject({
      type: 'image/jpeg',
      etag: md5(all),
      metadata: {
        digest: source.digest,
        name: 'Über.JPG',
        mtime: '2024-02-02T03:04:05.000Z',
        taken: '2024-02-02T04:04:05',
      },
    })
  })

  it('goes out once, and is looked at once', async () => {
    await destination.put('a.jpg', photo(small), call())
    expect([...storage.counters.requests.values()].reduce((sum, count) => sum + count, 0)).toBe(2)
    expect(storage.counters.bodyBytes.get('photos/a.jpg')).toBe(small.length)
  })

  it.each(sizes)('passes no limit of the bucket by not telling its length (%i bytes)', async (bytes) => {
    storage.createBucket('limited', { fileSizeLimit: 999 })
    const limited = open({ bucket: 'limited' })
    const error = await failureOf(limited.put('a.jpg', photo(content(bytes)), call()))
    expect(error).toMatchObject({ code: 'too-large', retry: 'never' })
    expect(storage.objects('limited').size).toBe(0)
  })

  it('counts as stored when its etag is no MD5', async () => {
    await start({ etag: 'multipart' })
    for (const bytes of sizes) await destination.put(`${bytes}.jpg`, photo(content(bytes)), call())
    expect(storage.objects('photos').size).toBe(2)
  })

  it.each([
    ['another content', { etag: md5(content(1000, 2)), 'content-length': '1000' }],
    ['less', { etag: md5(small), 'content-length': '999' }],
  ])('is refused when the service holds %s', async (_, headers) => {
    storage.fault({ method: 'HEAD' }, { do: 'answer', status: 200, headers })
    storage.fault(
      { path: /\/object\/info\// },
      {
        do: 'answer',
        status: 200,
        body: { size: Number(headers['content-length']), etag: headers.etag, metadata: {} },
      },
    )
    expect(await codeOf(destination.put('a.jpg', photo(small), call()))).toBe('checksum-mismatch')
  })

  it('is nothing when the file is other than its digest', async () => {
    const source = { ...sourceOf(small), digest: createHash('sha256').update('other').digest('hex') }
    expect(await codeOf(destination.put('a.jpg', source, call()))).toBe('changed-while-reading')
    expect(storage.objects('photos').size).toBe(0)
    expect(requests('POST /object')).toBe(0)
  })
})

describe('refusals', () => {
  it('names a bucket that is missing', async () => {
    const nowhere = open({ bucket: 'nowhere' })
    expect(await failureOf(nowhere.put('a.jpg', photo(small), call()))).toMatchObject({
      code: 'destination-missing',
      retry: 'never',
    })
    expect(await codeOf(nowhere.resumable?.begin('a.jpg', photo(small), call()))).toBe('destination-missing')
  })

  it('tells a kind that the bucket does not take, with what to do', async () => {
    storage.createBucket('movies', { allowedMimeTypes: ['video/mp4'] })
    const movies = open({ bucket: 'movies' })
    const error = await failureOf(movies.put('a.jpg', photo(small), call()))
    expect(error).toMatchObject({ code: 'kind-refused', retry: 'never' })
    expect(error.hint).toContain('allowed_mime_types')
    expect(await codeOf(movies.resumable?.begin('a.jpg', photo(small), call()))).toBe('kind-refused')
  })

  it('tells a key that is not accepted from a policy that says no, and shows neither', async () => {
    const forged = `${storage.serviceKey.slice(0, -4)}AAAA`
    const stranger = await failureOf(open({ credentials: fixedCredentials(forged) }).put('a.jpg', photo(small), call()))
    const anon = fixedCredentials(storage.anonKey)
    const unwelcome = await failureOf(open({ credentials: anon }).put('a.jpg', photo(small), call()))
    for (const error of [stranger, unwelcome]) {
      expect(error).toMatchObject({ code: 'destination-refused', retry: 'never' })
      const said = JSON.stringify([error.message, error.hint, error.stack, String(error.cause)])
      for (const secret of [forged, storage.serviceKey, storage.anonKey]) expect(said).not.toContain(secret)
    }
    expect(unwelcome.message).toContain('polic')
    expect(stranger.message).not.toContain('polic')
  })

  it.each([
    ['SlowDown', underLoad.slowDown],
    ['LockTimeout', underLoad.lockTimeout],
    ['DatabaseTimeout', underLoad.databaseTimeout],
    ['InternalError', underLoad.internalError],
    ['a gateway', { do: 'answer', status: 502, body: '<html>Bad gateway</html>' }],
  ] satisfies [string, Action][])('takes %s for something that passes', async (_, action) => {
    storage.fault({ method: 'POST' }, action)
    const error = await failureOf(destination.put('a.jpg', photo(small), call()))
    expect(error).toMatchObject({ code: 'destination-busy', retry: 'transient' })
    storage.fault({ method: 'POST' }, action)
    await patient(destination).put('a.jpg', photo(small), call())
    expect(etagOf('a.jpg')).toBe(md5(small))
  })

  it('passes on what it is asked to wait', async () => {
    storage.fault({ method: 'POST' }, { do: 'answer', status: 429, headers: { 'retry-after': '7' } })
    expect(await failureOf(destination.put('a.jpg', photo(small), call()))).toMatchObject({ retryAfterMs: 7000 })
  })

  it('reads nothing more of a file once it was refused', async () => {
    storage.fault(
      { method: 'POST' },
      { do: 'answer', status: 400, body: { statusCode: '413', code: 'EntityTooLarge' } },
    )
    const source = photo(content(8_000_000))
    let over = false
    let late = 0
    const watched: Source = {
      ...source,
      async read(into, offset) {
        if (over) late++
        await new Promise(setImmediate)
        return source.read(into, offset)
      },
    }
    expect(await codeOf(destination.put('a.jpg', watched, call()))).toBe('too-large')
    over = true
    // time enough for what would go on
    await destination.put('b.jpg', photo(content(5_000_000)), call())
    expect(late).toBe(0)
  })

  it('takes a page of somebody else for no list', async () => {
    storage.fault({ path: /list-v2/ }, { do: 'answer', status: 200, body: '<html>Please log in</html>' })
    const listed = async (): Promise<void> => {
      for await (const { key } of destination.list?.('', call()) ?? []) expect(key).toBe('none')
    }
    expect(await failureOf(listed())).toMatchObject({ retry: 'transient' })
  })
})

describe('an answer that is lost', () => {
  it.each(sizes)('is settled by asking: stored once, under its own name (%i bytes)', async (bytes) => {
    const all = content(bytes)
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-stored' })
    expect(await patient(destination).put('a.jpg', photo(all), call())).toMatchObject({ key: 'a.jpg', bytes })
    expect([...storage.objects('photos').keys()]).toEqual(['a.jpg'])
    expect(storage.counters.bodyBytes.get('photos/a.jpg')).toBe(bytes)
  })

  it('is settled where the etag is no MD5, too', async () => {
    await start({ etag: 'multipart' })
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-stored' })
    await patient(destination).put('a.jpg', photo(small), call())
    expect([...storage.objects('photos').keys()]).toEqual(['a.jpg'])
  })

  it.each([...sizes, 8_000_000])('is settled when the question was lost with it (%i bytes)', async (bytes) => {
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-stored' })
    storage.fault({ when: ({ method }) => method === 'HEAD' || method === 'GET' }, { do: 'reset', when: 'before-body' })
    await patient(destination).put('a.jpg', photo(content(bytes)), call())
    expect([...storage.objects('photos').keys()]).toEqual(['a.jpg'])
  })

  it('of the look at what was stored makes it nobody else’s', async () => {
    storage.fault({ when: ({ method }) => method === 'HEAD' || method === 'GET' }, { do: 'reset', when: 'before-body' })
    await patient(destination).put('a.jpg', photo(small), call())
    expect([...storage.objects('photos').keys()]).toEqual(['a.jpg'])
  })

  it('before the end of the body means that nothing was stored, and that it is sent again', async () => {
    const all = content(700_000)
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'cut', afterBytes: 300_000 })
    await patient(destination).put('a.jpg', photo(all), call())
    expect(etagOf('a.jpg')).toBe(md5(all))
  })

  it('finds somebody else’s content under the name, and says so', async () => {
    const theirs = content(1000, 9)
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-body' })
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-body' })
    await failureOf(destination.put('a.jpg', photo(small), call()))
    storage.clearFaults()
    await open().put('a.jpg', photo(theirs), call())
    expect(await codeOf(destination.put('a.jpg', photo(small), call()))).toBe('key-taken')
    expect(etagOf('a.jpg')).toBe(md5(theirs))
  })

  it('is no other name for a login that may not look: unconfirmed', async () => {
    storage.policy['anon'] = insertOnly()
    const blind = patient(open({ credentials: fixedCredentials(storage.anonKey) }))
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-stored' })
    expect(await codeOf(blind.put('a.jpg', photo(small), call()))).toBe('unconfirmed')
    expect(etagOf('a.jpg')).toBe(md5(small))
  })

  it('from a network that answers with noise is a network out of reach', async () => {
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    proxy.all({ garbage: 'SSH-2.0-OpenSSH_9.6\r\n' })
    const error = await failureOf(open({ url: proxy.url }).put('a.jpg', photo(small), call()))
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
  })

  it('of a service that is not there, neither', async () => {
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    proxy.all({ refuse: true })
    const error = await failureOf(open({ url: proxy.url }).stat('a.jpg', call()))
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
  })
})

describe('an insert-only policy', () => {
  it('is enough to store, small and large', async () => {
    storage.policy['anon'] = insertOnly()
    const blind = open({ credentials: fixedCredentials(storage.anonKey) })
    for (const bytes of sizes) await blind.put(`${bytes}.jpg`, photo(content(bytes)), call())
    const large = photo(content(900_000))
    const token = await blind.resumable?.begin('large.jpg', large, call())
    if (!token) throw new Error('It takes transfers in pieces.')
    await blind.resumable?.append(token, large, 0, call())
    await blind.resumable?.finish(token, 'large.jpg', large, call())
    expect([...storage.objects('photos').keys()].toSorted()).toEqual(['1000.jpg', '700000.jpg', 'large.jpg'])
  })

  it('shows nothing, which is no error', async () => {
    storage.policy['anon'] = insertOnly()
    const blind = open({ credentials: fixedCredentials(storage.anonKey) })
    await destination.put('a.jpg', photo(small), call())
    expect(await blind.stat('a.jpg', call())).toBeUndefined()
    expect(await codeOf(blind.put('a.jpg', photo(content(5)), call()))).toBe('key-taken')
  })
})

describe('a login that expires in mid-run', () => {
  /** Gives a token that has expired, and a good one for it. */
  const expiring = (): Credentials & { renewals: string[] } => {
    const old = storage.tokenFor({ role: 'service_role', expiresInSeconds: -1 })
    let bearer = old
    const renewals: string[] = []
    const login = (): { apikey: string; bearer: string } => ({ apikey: storage.anonKey, bearer })
    return {
      renewals,
      current: async () => login(),
      async renewed(refused) {
        if (refused === bearer) {
          renewals.push(refused)
          bearer = storage.serviceKey
        }
        return login()
      },
    }
  }

  it('is renewed once for all transfers, and none of them fails', async () => {
    const credentials = expiring()
    const renewing = open({ credentials })
    const keys = Array.from({ length: 12 }, (_, at) => `${at}.jpg`)
    await Promise.all(keys.map((key, at) => renewing.put(key, photo(content(sizes[at % 2] as number, at + 1)), call())))
    expect(storage.objects('photos').size).toBe(12)
    expect(credentials.renewals).toHaveLength(1)
  })

  it('is not taken for an object that is missing', async () => {
    await destination.put('a.jpg', photo(small), call())
    expect(await open({ credentials: expiring() }).stat('a.jpg', call())).toMatchObject({ bytes: 1000 })
    expect(await collect(open({ credentials: expiring() }).get?.('a.jpg', 0, call()))).toHaveLength(1000)
    const keys: string[] = []
    for await (const { key } of open({ credentials: expiring() }).list?.('', call()) ?? []) keys.push(key)
    expect(keys).toEqual(['a.jpg'])
  })

  it('is renewed in the middle of a transfer in pieces', async () => {
    const all = photo(content(900_000))
    const token = await destination.resumable?.begin('a.jpg', all, call())
    if (!token) throw new Error('It takes transfers in pieces.')
    expect(await open({ credentials: expiring() }).resumable?.offset(token, all, call())).toBe(0)
    expect(await open({ credentials: expiring() }).resumable?.append(token, all, 0, call())).toBe(900_000)
    await open({ credentials: expiring() }).resumable?.finish(token, 'a.jpg', all, call())
    expect(etagOf('a.jpg')).toBe(md5(content(900_000)))
  })

  it('ends the run when there is no other', async () => {
    const old = storage.tokenFor({ role: 'service_role', expiresInSeconds: -1 })
    for (const work of [
      (expired: Destination) => expired.put('a.jpg', photo(small), call()),
      (expired: Destination) => expired.stat('a.jpg', call()),
      (expired: Destination) => expired.resumable?.begin('a.jpg', photo(small), call()),
    ]) {
      const error = await failureOf(work(open({ credentials: fixedCredentials(old) })))
      expect(error).toMatchObject({ code: 'destination-refused', retry: 'never' })
      expect(`${error.message} ${error.hint} ${error.stack}`).not.toContain(old)
    }
  })
})

describe('list', () => {
  it('goes through all pages', async () => {
    await destination.put('a.jpg', photo(small), call())
    const objects = storage.objects('photos') as Map<string, StoredFile>
    const file = objects.get('a.jpg')
    if (!file) throw new Error('It was stored.')
    for (let at = 0; at < 2500; at++) objects.set(`many/${String(at).padStart(5, '0')}.jpg`, file)
    const keys: string[] = []
    for await (const { key } of destination.list?.('many/', call()) ?? []) keys.push(key)
    expect(new Set(keys).size).toBe(2500)
    expect(keys).toEqual(keys.toSorted())
  })

  it('works where the service is too old for its second version', async () => {
    for (const key of ['a/1.jpg', 'a/b/2.jpg', 'ab/3.jpg', 'c.jpg']) await destination.put(key, photo(small), call())
    const absent = {
      statusCode: '404',
      error: 'Not Found',
      code: 'NotFound',
      message: 'Route POST:/object/list-v2/photos not found',
    }
    storage.fault({ path: /list-v2/, times: 100 }, { do: 'answer', status: 404, body: absent })
    const keys: string[] = []
    for await (const { key } of destination.list?.('a', call()) ?? []) keys.push(key)
    expect(keys.toSorted()).toEqual(['a/1.jpg', 'a/b/2.jpg', 'ab/3.jpg'])
  })
})

describe('get', () => {
  it('goes on after a cut where it was', async () => {
    const all = content(3_000_000)
    await destination.put('a.jpg', photo(all), call())
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    proxy.next({ cutAfterDown: 1_000_000 })
    const read = await collect(patient(open({ url: proxy.url })).get?.('a.jpg', 0, call()))
    expect(read.equals(all)).toBe(true)
  })
})
