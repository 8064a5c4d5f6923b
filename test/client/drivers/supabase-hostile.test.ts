import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Destination, Resumable, Source } from '../../../src/client/destination.ts'
import { supabaseDestination, type SupabaseOptions } from '../../../src/client/drivers/supabase.ts'
import { keyOf, keyRules, objectName } from '../../../src/client/drivers/supabase/names.ts'
import { type Credentials, fixedCredentials } from '../../../src/client/http/credentials.ts'
import { retryLayer } from '../../../src/client/layers/retry.ts'
import { LuminaError } from '../../../src/errors.ts'
import { encodeSegment } from '../../../src/pipeline/keys.ts'
import { call, codeOf, failureOf } from '../../contract/calls.ts'
import { fakeTime } from '../../contract/fake-time.ts'
import { collect, content, type SourceOptions, sourceOf } from '../../contract/sources.ts'
import { faultProxy } from '../../faults/proxy.ts'
import {
  insertOnly,
  startStorage,
  type FakeStorage,
  type Matcher,
  type StorageOptions,
} from '../../supabase/storage.ts'

const mebibyte = 1024 * 1024
const pieceBytes = 6 * mebibyte
/** The sizes at which a put changes its way: through one buffer, and through one that is filled again and again. */
const puts = [100, 300_000]

let storage: FakeStorage
const opened: Destination[] = []

const start = async (options?: StorageOptions): Promise<void> => {
  await storage?.close()
  storage = await startStorage({ drainMs: 10, ...options })
  storage.createBucket('photos')
}
beforeEach(() => start())
afterEach(async () => {
  for (const destination of opened.splice(0)) await destination.close?.()
  await storage.close()
})

const open = (options: Partial<SupabaseOptions> = {}): Destination => {
  const credentials = fixedCredentials(storage.serviceKey)
  const destination = supabaseDestination({ url: storage.url, bucket: 'photos', credentials, ...options })
  opened.push(destination)
  return destination
}
const patient = (destination: Destination): Destination => retryLayer({ retries: 3, time: fakeTime() })(destination)
const resumable = (destination: Destination): Resumable => destination.resumable as Resumable

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** As the pipeline gives it: with its digest. */
const photo = (bytes: Uint8Array, options?: SourceOptions): Source => ({
  ...sourceOf(bytes, options),
  digest: sha256(bytes),
})
const holds = async (key: string, bytes: Uint8Array): Promise<void> => {
  const file = storage.objects('photos').get(key)
  expect(await file?.sha256()).toBe(sha256(bytes))
}
const requests = (route: string): number => storage.counters.requests.get(route) ?? 0
const sendInPieces = async (destination: Destination, key: string, source: Source): Promise<unknown> => {
  const token = await resumable(destination).begin(key, source, call())
  for (let at = 0; at < source.bytes;) at = await resumable(destination).append(token, source, at, call())
  return resumable(destination).finish(token, key, source, call())
}

const answer = (statusCode: number, code: string, message = 'No.', status = 400) =>
  ({ do: 'answer', status, body: { statusCode: String(statusCode), error: code, code, message } }) as const

describe('a refusal is told by its body', () => {
  it.each([
    [answer(404, 'NoSuchBucket', 'Bucket not found'), 'destination-missing', 'never'],
    [answer(403, 'AccessDenied', 'signature verification failed'), 'destination-refused', 'never'],
    [answer(403, 'AccessDenied', 'new row violates row-level security policy'), 'destination-refused', 'never'],
    [answer(413, 'EntityTooLarge'), 'too-large', 'never'],
    [answer(415, 'InvalidMimeType'), 'kind-refused', 'never'],
    [answer(400, 'InvalidKey'), 'key-invalid', 'never'],
    [answer(409, 'KeyAlreadyExists'), 'key-taken', 'never'],
    [answer(503, 'LockTimeout'), 'destination-busy', 'transient'],
    [answer(503, 'DatabaseReadOnly'), 'destination-busy', 'transient'],
    [answer(429, 'SlowDown', 'Too many', 429), 'destination-busy', 'transient'],
    [answer(544, 'DatabaseTimeout', 'Timed out', 544), 'destination-busy', 'transient'],
    [answer(500, 'InternalError', 'Internal', 500), 'destination-busy', 'transient'],
    [{ do: 'answer', status: 502 }, 'destination-busy', 'transient'],
    [{ do: 'answer', status: 504 }, 'destination-busy', 'transient'],
  ] as const)('%j: %s, asked again: %s', async (action, code, retry) => {
    for (const bytes of puts) {
      storage.clearFaults()
      storage.fault({ method: 'POST', path: /object\/photos/ }, { ...action, when: 'after-body' })
      const error = await failureOf(open().put('a.jpg', photo(content(bytes)), call()))
      expect(error).toMatchObject({ code, retry })
      expect(storage.objects('photos').size).toBe(0)
    }
  })

  it('also when it comes before the body has gone', async () => {
    storage.createBucket('small', { fileSizeLimit: 1000 })
    const destination = open({ bucket: 'small' })
    for (let times = 0; times < 5; times++)
      expect(await codeOf(destination.put('a.jpg', photo(content(4 * mebibyte)), call()))).toBe('too-large')
  })

  it('before the body has gone ends the reading of the file, which may be closed by then', async () => {
    storage.createBucket('small', { fileSizeLimit: 1000 })
    const destination = open({ bucket: 'small', resumableOverBytes: 1024 * mebibyte })
    const all = photo(content(64 * mebibyte), { slow: true })
    let over = false
    let readAfter = 0
    const source: Source = {
      ...all,
      read(into, at) {
        if (over) readAfter++
        return all.read(into, at)
      },
    }
    const refused = destination.put('a.jpg', source, call()).finally(() => (over = true))
    expect(await codeOf(refused)).toBe('too-large')
    // whatever is still under way has its turns
    for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate)
    expect(readAfter).toBe(0)
    await destination.put('b.jpg', photo(content(10)), call())
  })

  it('says what to do about a kind that the bucket does not take, and stores exactly the sniffed kind', async () => {
    storage.createBucket('jpegs', { allowedMimeTypes: ['image/jpeg'] })
    const destination = open({ bucket: 'jpegs' })
    await destination.put('a.jpg', photo(content(10)), call())
    const raw = { ...photo(content(10)), kind: 'image/x-canon-cr2' }
    for (const failing of [destination.put('b.cr2', raw, call()), resumable(destination).begin('b.cr2', raw, call())])
      expect(await failureOf(failing)).toMatchObject({
        code: 'kind-refused',
        hint: expect.stringContaining('allowed_mime_types') as string,
      })
  })

  it.each(['put', 'remove', 'move', 'stat'] as const)('a bucket that does not exist is missing: %s', async (name) => {
    const destination = open({ bucket: 'nowhere' })
    const calls = {
      put: async () => destination.put('a.jpg', photo(content(10)), call()),
      remove: async () => destination.remove?.('a.jpg', call()),
      move: async () => destination.move?.('a.jpg', 'b.jpg', call()),
      stat: async () => destination.stat('a.jpg', call()),
    }
    expect(await codeOf(calls[name]())).toBe('destination-missing')
  })

  it('a name in a refusal is not taken for the word of the service', async () => {
    storage.fault({ method: 'POST' }, answer(400, 'InvalidKey', 'Invalid key: expired.jpg'))
    expect(await codeOf(open().put('expired.jpg', photo(content(10)), call()))).toBe('key-invalid')
  })

  it('never holds the key, whatever went wrong', async () => {
    const forged = `${storage.serviceKey.slice(0, -6)}forged`
    const errors = [
      await failureOf(open({ credentials: fixedCredentials(forged) }).put('a.jpg', photo(content(10)), call())),
      await failureOf(open({ url: 'http://127.0.0.1:1' }).put('a.jpg', photo(content(10)), call())),
    ]
    for (const error of errors) {
      for (let at: unknown = error; at instanceof Error; at = at.cause)
        expect(`${at.stack} ${JSON.stringify(at)}`).not.toMatch(/forged|eyJ/)
    }
    expect(errors.map(({ code }) => code)).toEqual(['destination-refused', 'destination-unreachable'])
  })
})

describe('a body', () => {
  it('always has its length, so that a limit holds', async () => {
    let lengths: (string | undefined)[] = []
    const when: NonNullable<Matcher['when']> = ({ req }) => {
      lengths.push(req.headers['transfer-encoding'] ?? req.headers['content-length'])
      return false
    }
    storage.fault({ method: 'POST', path: /object\/photos/, when }, { do: 'stall-answer' })
    storage.fault({ method: 'PATCH', when }, { do: 'stall-answer' })
    for (const bytes of [0, ...puts]) await open().put(`${bytes}.jpg`, photo(content(bytes)), call())
    expect(lengths).toEqual(['0', '100', '300000'])
    lengths = []
    await sendInPieces(open(), 'large.jpg', photo(content(pieceBytes + 5)))
    expect(lengths).toEqual([`${pieceBytes}`, '5'])
  })

  it('is described: kind, digest, name, times', async () => {
    const notes = { name: 'Ünïcode\n📷.JPG', modifiedMs: Date.UTC(2020, 1, 2, 3, 4, 5), takenAt: '2020-02-02T01:00:00' }
    const source = { ...photo(content(10)), ...notes }
    await open().put('small.jpg', source, call())
    await sendInPieces(open(), 'pieces.jpg', source)
    for (const key of ['small.jpg', 'pieces.jpg'])
      expect(storage.objects('photos').get(key)).toMatchObject({
        type: 'image/jpeg',
        metadata: {
          digest: source.digest,
          name: notes.name,
          mtime: '2020-02-02T03:04:05.000Z',
          taken: notes.takenAt,
        },
      })
  })

  it.each(puts)('of %i bytes that arrived otherwise than it was sent is no success', async (bytes) => {
    const sent = content(bytes)
    const swapped = storage.fault(
      { method: 'HEAD', path: /object/ },
      { do: 'answer', status: 200, headers: { etag: `"${'0'.repeat(32)}"`, 'content-length': `${bytes}` } },
    )
    const told = storage.fault(
      { method: 'GET', path: /object\/info/ },
      { do: 'answer', status: 200, body: { size: bytes, etag: `"${'0'.repeat(32)}"`, metadata: {} } },
    )
    expect(await codeOf(open().put('a.jpg', photo(sent), call()))).toBe('checksum-mismatch')
    swapped.remove()
    told.remove()
  })
})

describe('an end that nobody heard', () => {
  it.each(puts)('of a put of %i bytes is settled by asking', async (bytes) => {
    const all = content(bytes)
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-stored' })
    expect(await patient(open()).put('a.jpg', photo(all), call())).toMatchObject({ key: 'a.jpg', bytes })
    await holds('a.jpg', all)
    expect(storage.objects('photos').size).toBe(1)
  })

  it.each(puts)('of a put of %i bytes that was not heard there either is tried again', async (bytes) => {
    const all = content(bytes)
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-body' })
    await patient(open()).put('a.jpg', photo(all), call())
    await holds('a.jpg', all)
  })

  it('is never taken for a success where another content lies there', async () => {
    const theirs = content(100, 2)
    await open().put('a.jpg', photo(theirs), call())
    storage.fault({ method: 'POST', path: /object\/photos/ }, { do: 'reset', when: 'after-body' })
    expect(await codeOf(patient(open()).put('a.jpg', photo(content(100)), call()))).toBe('key-taken')
    await holds('a.jpg', theirs)
  })

  it('of the last piece of a transfer is settled by asking', async () => {
    const all = content(pieceBytes + 1000)
    storage.fault({ method: 'PATCH', nth: 2 }, { do: 'reset', when: 'after-stored' })
    await sendInPieces(patient(open()), 'a.jpg', photo(all))
    await holds('a.jpg', all)
    expect(requests('PATCH /upload/resumable')).toBe(2)
  })

  it('of the last piece, and the process with it, is found by the next', async () => {
    const all = content(pieceBytes + 1000)
    const source = photo(all)
    const token = await resumable(open()).begin('a.jpg', source, call())
    storage.fault({ method: 'PATCH', nth: 2 }, { do: 'reset', when: 'after-stored' })
    await failureOf(resumable(open()).append(token, source, 0, call()))
    const next = open()
    const offset = await resumable(next).offset(token, source, call())
    expect(offset).toBe(all.length)
    expect(await resumable(next).finish(token, 'a.jpg', source, call())).toMatchObject({ bytes: all.length })
  })
})

describe('where the policy lets insert and nothing else', () => {
  const inserter = (options: Partial<SupabaseOptions> = {}): Destination => {
    storage.policy['authenticated'] = insertOnly()
    return open({ credentials: fixedCredentials(storage.tokenFor({ sub: 'ana' })), ...options })
  }

  it('a second put of one name is refused as taken, and what lies there cannot be told', async () => {
    const destination = inserter()
    await destination.put('a.jpg', photo(content(10)), call())
    expect(await codeOf(destination.put('a.jpg', photo(content(10, 2)), call()))).toBe('key-taken')
    expect(await destination.stat('a.jpg', call())).toBeUndefined()
    await holds('a.jpg', content(10))
  })

  it('an end of a transfer in pieces that nobody heard is told as unconfirmed, and nothing is sent again', async () => {
    const destination = patient(inserter())
    storage.fault({ method: 'PATCH', nth: 2 }, { do: 'reset', when: 'after-stored' })
    const source = photo(content(pieceBytes + 1000))
    const error = await sendInPieces(destination, 'a.jpg', source).then(
      () => undefined,
      (failed: LuminaError) => failed.code,
    )
    expect([undefined, 'unconfirmed']).toContain(error)
    expect(requests('PATCH /upload/resumable')).toBe(2)
  })

  it('an answer that is not the word of the service is no success', async () => {
    const destination = inserter()
    storage.fault(
      { method: 'POST', path: /object\/photos/ },
      { do: 'answer', status: 200, body: '<html>Log in to the Wi-Fi</html>', when: 'after-body' },
    )
    const error = await failureOf(destination.put('a.jpg', photo(content(10)), call()))
    expect(error).toBeInstanceOf(LuminaError)
    expect(storage.objects('photos').size).toBe(0)
  })
})

describe('a login that expires', () => {
  const session = (): { credentials: Credentials; renewals: () => number } => {
    let bearer = storage.tokenFor({ role: 'service_role', expiresInSeconds: -10 })
    let renewals = 0
    const login = () => ({ apikey: storage.anonKey, bearer })
    const credentials: Credentials = {
      current: async () => login(),
      async renewed(refused) {
        if (refused === bearer) {
          renewals++
          bearer = storage.tokenFor({ role: 'service_role' })
        }
        return login()
      },
    }
    return { credentials, renewals: () => renewals }
  }

  it.each(['stat', 'get', 'list', 'remove', 'move', 'offset'] as const)('is renewed for %s', async (name) => {
    const all = content(1000)
    await open().put('a.jpg', photo(all), call())
    const token = await resumable(open()).begin('b.jpg', photo(all), call())
    const destination = open({ credentials: session().credentials })
    const calls = {
      stat: async () => expect(await destination.stat('a.jpg', call())).toMatchObject({ bytes: 1000 }),
      get: async () => expect((await collect(destination.get?.('a.jpg', 0, call()))).equals(all)).toBe(true),
      list: async () => {
        const keys: string[] = []
        for await (const { key } of destination.list?.('', call()) ?? []) keys.push(key)
        expect(keys).toEqual(['a.jpg'])
      },
      remove: async () => destination.remove?.('a.jpg', call()),
      move: async () => destination.move?.('a.jpg', 'c.jpg', call()),
      offset: async () => expect(await resumable(destination).offset(token, photo(all), call())).toBe(0),
    }
    await calls[name]()
  })

  it('and can not be renewed is a refusal, never a file that is not there', async () => {
    const all = content(1000)
    await open().put('a.jpg', photo(all), call())
    const expired = open({
      credentials: fixedCredentials(storage.tokenFor({ role: 'service_role', expiresInSeconds: -10 })),
    })
    expect(await codeOf(expired.stat('a.jpg', call()))).toBe('destination-refused')
    expect(await codeOf(collect(expired.get?.('a.jpg', 0, call())))).toBe('destination-refused')
  })

  it('a key of another project is a refusal, never a file that is not there', async () => {
    const forged = open({ credentials: fixedCredentials(`${storage.serviceKey.slice(0, -6)}forged`) })
    expect(await codeOf(forged.stat('a.jpg', call()))).toBe('destination-refused')
    expect(await codeOf(collect(forged.get?.('a.jpg', 0, call())))).toBe('destination-refused')
  })
})

describe('a transfer in pieces', () => {
  const all = content(2 * pieceBytes + 1000)

  it('goes on from the offset that comes back, however short', async () => {
    const source = photo(all)
    storage.fault({ method: 'PATCH' }, { do: 'cut', afterBytes: 1_000_000 })
    await sendInPieces(patient(open()), 'a.jpg', source)
    await holds('a.jpg', all)
  })

  it('that two clients send at once ends whole', async () => {
    const source = photo(all, { slow: true })
    const token = await resumable(open()).begin('a.jpg', source, call())
    const send = async (destination: Destination): Promise<void> => {
      for (let at = 0; at < source.bytes;) at = await resumable(destination).append(token, source, at, call())
    }
    await Promise.allSettled([send(patient(open())), send(patient(open()))])
    const last = patient(open())
    let at = (await resumable(last).offset(token, source, call())) ?? source.bytes
    while (at < source.bytes) at = await resumable(last).append(token, source, at, call())
    await resumable(last).finish(token, 'a.jpg', source, call())
    await holds('a.jpg', all)
  })

  it('is begun nowhere but at the service that was asked, whatever its Location says', async () => {
    await start({ productionLocation: true })
    await sendInPieces(open(), 'a.jpg', photo(content(1000)))
    await holds('a.jpg', content(1000))
    for (const location of ['https://elsewhere.example/storage/v1/object/photos/x', 'nonsense', '']) {
      storage.fault({ method: 'POST', path: /resumable/ }, { do: 'answer', status: 201, headers: { location } })
      expect(await failureOf(resumable(open()).begin('b.jpg', photo(content(10)), call()))).toBeInstanceOf(LuminaError)
    }
  })

  it('leads nowhere but to an upload, whatever its token says', async () => {
    const destination = open()
    const there = content(5)
    await destination.put('there.jpg', photo(there), call())
    const source = photo(content(10))
    for (const upload of [
      '../../object/photos/there.jpg',
      '..%2F..%2Fobject%2Fphotos%2Fthere.jpg',
      '/storage/v1/object/photos/there.jpg',
      '../../object/photos/there.jpg?x=',
      '//127.0.0.1/x',
    ]) {
      const token = { upload, key: 'there.jpg', bytes: 10 }
      await resumable(destination)
        .abort(token, call())
        .catch((error: unknown) => expect(error).toBeInstanceOf(LuminaError))
      await resumable(destination)
        .append(token, source, 0, call())
        .catch((error: unknown) => expect(error).toBeInstanceOf(LuminaError))
    }
    await holds('there.jpg', there)
  })

  it('of a file that has grown since is not gone on with', async () => {
    const before = photo(content(1000))
    const token = await resumable(open()).begin('a.jpg', before, call())
    expect(await resumable(open()).offset(token, photo(content(2000)), call())).toBeUndefined()
  })

  it('that the service has forgotten is begun anew', async () => {
    const source = photo(content(1000))
    const token = await resumable(open()).begin('a.jpg', source, call())
    await resumable(open()).abort(token, call())
    expect(await resumable(open()).offset(token, source, call())).toBeUndefined()
    expect(await codeOf(resumable(open()).append(token, source, 0, call()))).toBe('not-found')
  })

  it('to a name that is taken, at its beginning or meanwhile, is told so', async () => {
    const destination = open()
    const theirs = content(10, 2)
    const source = photo(content(1000))
    const token = await resumable(destination).begin('a.jpg', source, call())
    await destination.put('a.jpg', photo(theirs), call())
    expect(await codeOf(resumable(destination).append(token, source, 0, call()))).toBe('key-taken')
    expect(await codeOf(resumable(destination).begin('a.jpg', source, call()))).toBe('key-taken')
    await holds('a.jpg', theirs)
  })

  it('that is wrong about its offset asks, and goes on', async () => {
    const source = photo(all)
    const destination = patient(open())
    const token = await resumable(destination).begin('a.jpg', source, call())
    expect(await resumable(destination).append(token, source, 500, call())).toBe(all.length)
    await resumable(destination).finish(token, 'a.jpg', source, call())
    await holds('a.jpg', all)
  })

  it('is checked by MD5 although it was cut on its way', async () => {
    storage.fault({ method: 'PATCH' }, { do: 'cut', afterBytes: 1_000_000 })
    const wrong = { etag: `"${'0'.repeat(32)}"` }
    storage.fault(
      { method: 'HEAD', path: /object/ },
      { do: 'answer', status: 200, headers: { ...wrong, 'content-length': `${all.length}` } },
    )
    storage.fault(
      { method: 'GET', path: /object\/info/ },
      { do: 'answer', status: 200, body: { ...wrong, size: all.length, metadata: {} } },
    )
    expect(await codeOf(sendInPieces(patient(open()), 'a.jpg', photo(all)))).toBe('checksum-mismatch')
  })
})

describe('reading', () => {
  const all = content(500_000)
  const read = async (from: number, destination = open()): Promise<Buffer> =>
    collect(destination.get?.('a.jpg', from, call()))

  it('from the middle gives the rest, also where ranges are not heeded', async () => {
    await open().put('a.jpg', photo(all), call())
    expect((await read(400_000)).equals(all.subarray(400_000))).toBe(true)
    storage.fault(
      {
        method: 'GET',
        when: ({ req }) => (req.headers.range !== undefined ? (delete req.headers.range, false) : false),
      },
      { do: 'stall-answer' },
    )
    expect((await read(400_000)).equals(all.subarray(400_000))).toBe(true)
  })

  it('goes on when the connection is cut', async () => {
    await open().put('a.jpg', photo(all), call())
    await using proxy = await faultProxy({ host: '127.0.0.1', port: storage.port })
    const destination = patient(open({ url: proxy.url }))
    await destination.stat('a.jpg', call())
    proxy.cut()
    proxy.next({ cutAfterDown: 100_000 })
    expect((await read(0, destination)).equals(all)).toBe(true)
    expect(proxy.counters.cut).toBeGreaterThan(0)
  })

  it.each([
    ['text', '<html>'],
    ['other JSON', {}],
  ])('does not take %s for an empty list', async (_, body) => {
    await open().put('a.jpg', photo(all), call())
    storage.fault({ method: 'POST', path: /list-v2/ }, { do: 'answer', status: 200, body })
    expect(await failureOf(collect(open().list?.('', call()) as never))).toBeInstanceOf(LuminaError)
  })

  it('lists a service that has no second version of it', async () => {
    for (const key of ['a.jpg', 'x/1.jpg', 'x/y/2.jpg', 'xy/3.jpg'])
      await open().put(key, photo(content(key.length)), call())
    storage.fault(
      { method: 'POST', path: /list-v2/, times: 99 },
      answer(404, 'NotFound', 'Route POST:/object/list-v2/photos not found'),
    )
    const keys = async (prefix: string): Promise<string[]> => {
      const found: string[] = []
      for await (const { key, bytes } of open().list?.(prefix, call()) ?? []) {
        expect(bytes).toBe(key.length)
        found.push(key)
      }
      return found.toSorted()
    }
    expect(await keys('')).toEqual(['a.jpg', 'x/1.jpg', 'x/y/2.jpg', 'xy/3.jpg'])
    expect(await keys('x/')).toEqual(['x/1.jpg', 'x/y/2.jpg'])
    expect(await keys('x')).toEqual(['x/1.jpg', 'x/y/2.jpg', 'xy/3.jpg'])
  })

  it('tells a bucket that does not exist from one that is empty', async () => {
    expect(await codeOf(collect(open({ bucket: 'nowhere' }).list?.('', call()) as never))).toBe('destination-missing')
    expect(await collect(open().list?.('', call()) as never)).toHaveLength(0)
  })
})

describe('names', () => {
  const piece = fc.oneof(
    fc.constantFrom(...'aZ0%.-_ ~:é41=#?&+/'.replace('/', '')),
    fc.string({ unit: 'binary', maxLength: 6 }),
  )
  const name = fc
    .array(piece, { minLength: 1, maxLength: 80 })
    .map((pieces) => pieces.join('').replaceAll('/', ''))
    .filter((text) => text !== '')

  it('are such as the service takes, and can be read back', () => {
    fc.assert(
      fc.property(name, (given) => {
        const key = encodeSegment(given, keyRules)
        const stored = objectName(key)
        expect(stored).toMatch(/^[\w!.*'() &$=@;:+,?-]+$/)
        expect(stored.length).toBeLessThanOrEqual(255)
        expect(keyOf(stored)).toBe(key)
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['~'.repeat(200), 'x'.repeat(300), '~=%'.repeat(60)])('of any length are taken: %s', async (given) => {
    const key = encodeSegment(given, keyRules)
    await open().put(key, photo(content(5)), call())
    expect(await open().stat(key, call())).toMatchObject({ key, bytes: 5 })
  })

  it.each(['a#b.jpg', 'a?b.jpg', 'a%2fb.jpg', 'a&b=c;d.jpg', 'a+b.jpg'])('%s lands on itself alone', async (key) => {
    const destination = open()
    await destination.put(key, photo(content(5)), call())
    expect(storage.objects('photos').size).toBe(1)
    expect(await destination.stat(key, call())).toMatchObject({ bytes: 5 })
    expect(await destination.stat('a', call())).toBeUndefined()
  })

  it('lead nowhere but into the bucket', async () => {
    storage.createBucket('other')
    const destination = open()
    for (const key of ['../other/x', 'a/../../other/x', './a', 'a//b', '/a', 'a/', '..', '']) {
      expect(await codeOf(destination.put(key, photo(content(5)), call()))).toBe('key-invalid')
      expect(await codeOf(resumable(destination).begin(key, photo(content(5)), call()))).toBe('key-invalid')
    }
    await destination.put('a/b', photo(content(5)), call())
    expect([storage.objects('other').size, storage.objects('photos').size]).toEqual([0, 1])
  })

  it('of another object than was asked for are no success', async () => {
    storage.fault(
      { method: 'POST', path: /object\/photos/ },
      { do: 'answer', status: 200, body: { Key: 'photos/a', Id: '1' }, when: 'after-body' },
    )
    expect(await failureOf(open().put('a.jpg', photo(content(5)), call()))).toBeInstanceOf(LuminaError)
  })
})
