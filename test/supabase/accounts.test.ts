import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { ask, type Said } from './asking.ts'
import { type Claims, type FakeStorage, startStorage } from './storage.ts'

let storage: FakeStorage
let user: string

beforeEach(async () => {
  storage = await startStorage()
  user = storage.accounts.add('ann@example.org', 'secret')
})
afterEach(() => storage.close())

const token = (grant: string, body: object): Promise<Said> =>
  ask(storage, 'POST', `/auth/v1/token?grant_type=${grant}`, {
    body: JSON.stringify(body),
    token: null,
    headers: { apikey: storage.anonKey },
  })
const logIn = (): Promise<Said> => token('password', { email: 'ann@example.org', password: 'secret' })

const whoIs = (bearer: string, headers: Record<string, string>): Promise<Said> =>
  ask(storage, 'GET', '/auth/v1/user', { token: bearer, headers })

describe('log-in', () => {
  it('gives a token of the user, that tells who it is', async () => {
    storage.accounts.sessionSeconds = 60
    const { status, json } = await logIn()
    expect({ status, ...json }).toMatchObject({
      status: 200,
      token_type: 'bearer',
      expires_in: 60,
      user: { id: user, email: 'ann@example.org', role: 'authenticated' },
    })
    const headers = { apikey: storage.anonKey }
    const said = await ask(storage, 'GET', '/auth/v1/user', { token: String(json['access_token']), headers })
    expect(said).toMatchObject({ status: 200, json: { id: user } })
  })

  it('refuses a wrong password, a strange token and an expired one', async () => {
    expect(await token('password', { email: 'ann@example.org', password: 'wrong' })).toMatchObject({
      status: 400,
      json: { error_code: 'invalid_credentials' },
    })
    const headers = { apikey: storage.anonKey }
    const expired = storage.tokenFor({ sub: user, expiresInSeconds: -1 })
    for (const bad of ['a.b.c', expired])
      expect(await ask(storage, 'GET', '/auth/v1/user', { token: bad, headers })).toMatchObject({
        status: 403,
        json: { error_code: 'bad_jwt' },
      })
  })

  it('is refreshed by a token that can be used once, and each refresh is counted', async () => {
    const first = String((await logIn()).json['refresh_token'])
    const second = (await token('refresh_token', { refresh_token: first })).json
    expect(second).toMatchObject({ token_type: 'bearer', user: { id: user } })
    expect(second['refresh_token']).not.toBe(first)
    expect(await token('refresh_token', { refresh_token: first })).toMatchObject({
      status: 400,
      json: { error_code: 'refresh_token_already_used' },
    })
    expect(await token('refresh_token', { refresh_token: 'unknown' })).toMatchObject({
      status: 400,
      json: { error_code: 'refresh_token_not_found' },
    })
    expect(storage.counters.refreshes).toBe(3)
  })
})

describe('a session', () => {
  it('expires when a test says so, and goes on when it is refreshed', async () => {
    const headers = { apikey: storage.anonKey }
    const ask = (bearer: unknown): Promise<Said> => whoIs(String(bearer), headers)
    const { json } = await logIn()
    storage.accounts.expireSessions()
    expect((await ask(json['access_token'])).status).toBe(403)
    const next = (await token('refresh_token', { refresh_token: json['refresh_token'] })).json
    expect((await ask(next['access_token'])).status).toBe(200)
  })
})

describe('a function of the database', () => {
  const call = (fn: string, args: object, bearer = storage.serviceKey): Promise<Said> =>
    ask(storage, 'POST', `/rest/v1/rpc/${fn}`, {
      body: JSON.stringify(args),
      token: bearer,
      headers: { apikey: storage.anonKey },
    })
  const withRpc = async (rpc: (fn: string, args: unknown, claims: Claims) => Promise<unknown>): Promise<void> => {
    await storage.close()
    storage = await startStorage({ rpc })
  }

  it('is called with its arguments and the claims of the caller', async () => {
    await withRpc(async (fn, args, { role, sub }) => (fn === 'nothing' ? undefined : { fn, args, role, sub }))
    const said = await call('claim', { n: 1 }, storage.tokenFor({ sub: 'u1' }))
    expect(said).toMatchObject({ status: 200, json: { fn: 'claim', args: { n: 1 }, role: 'authenticated', sub: 'u1' } })
    expect(await call('nothing', {})).toMatchObject({ status: 204, text: '' })
    expect(storage.counters.requests.get('POST /rpc')).toBe(2)
  })

  it.each([
    ['23505', 409],
    ['42501', 403],
    ['42883', 404],
    ['57014', 500],
    ['53300', 503],
    ['P0001', 400],
  ])('fails as PostgREST does: %s is %i', async (code, status) => {
    await withRpc(() => Promise.reject(Object.assign(new Error('no'), { code, detail: 'why', hint: 'do' })))
    expect(await call('claim', {})).toMatchObject({ status, json: { code, message: 'no', details: 'why', hint: 'do' } })
  })

  it('that nobody made is not found', async () => {
    expect(await call('claim', {})).toMatchObject({ status: 404, json: { code: 'PGRST202' } })
  })

  it('is not for everyone', async () => {
    const expired = storage.tokenFor({ expiresInSeconds: -1 })
    expect(await call('claim', {}, expired)).toMatchObject({ status: 401, json: { message: 'JWT expired' } })
    expect(await call('claim', {}, 'a.b.c')).toMatchObject({ status: 401, json: { code: 'PGRST301' } })
    expect((await ask(storage, 'POST', '/rest/v1/rpc/claim', { body: '{}' })).status).toBe(401)
  })
})
