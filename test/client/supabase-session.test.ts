import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { Credentials } from '../../src/client/http/credentials.ts'
import { supabaseCredentials } from '../../src/client/supabase-session.ts'
import { sessionCredentials } from '../../src/client/supabase-session/credentials.ts'
import {
  draftSession,
  keptSessions,
  readSession,
  removeSession,
  type Session,
  sessionFile,
  sessionLock,
} from '../../src/client/supabase-session/file.ts'
import { tryLock } from '../../src/state/lock.ts'
import { type FakeStorage, startStorage } from '../supabase/storage.ts'

let storage: FakeStorage
let configDir: string
let file: string
let first: Session
const { signal } = new AbortController()
const minuteMs = 60_000

beforeEach(async () => {
  storage = await startStorage()
  storage.accounts.add('ann@example.org', 'secret')
  configDir = mkdtempSync(join(tmpdir(), 'lumina-session-'))
  file = sessionFile(configDir, storage.url)
  first = await loggedIn()
})
afterEach(async () => {
  await storage.close()
  rmSync(configDir, { recursive: true, force: true })
})

/** A login whose access token has expired. */
async function loggedIn(): Promise<Session> {
  const answer = await fetch(`${storage.url}/auth/v1/token?grant_type=password`, {
    method: 'POST',
    headers: { apikey: storage.anonKey },
    body: JSON.stringify({ email: 'ann@example.org', password: 'secret' }),
  })
  const { access_token, refresh_token, user } = (await answer.json()) as {
    access_token: string
    refresh_token: string
    user: { id: string }
  }
  return keep({
    url: storage.url,
    anonKey: storage.anonKey,
    userId: user.id,
    email: 'ann@example.org',
    accessToken: access_token,
    refreshToken: refresh_token,
    expiresAtMs: Date.now() - minuteMs,
    lifetimeMs: 60 * minuteMs,
  })
}

function keep(session: Session): Session {
  draftSession(file).keep(session)
  return session
}

const credentials = (nowMs = Date.now): Credentials => sessionCredentials({ file, lockPath: sessionLock(file), nowMs })
const modeOf = (path: string): number => statSync(path).mode & 0o777
const userScript = fileURLToPath(new URL('supabase-session-user.ts', import.meta.url))

async function asProcess(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [userScript, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  return (await text(child.stdout)).trim()
}

async function asThread(refused?: string): Promise<string> {
  const worker = new Worker(userScript, { workerData: { file, refused }, stdout: true })
  const said = text(worker.stdout)
  await once(worker, 'exit')
  return (await said).trim()
}

describe('a session', () => {
  it('gives its access token while that has more than a minute left, and asks nobody', async () => {
    const lasting = keep({ ...first, expiresAtMs: Date.now() + 2 * minuteMs })
    const login = { apikey: storage.anonKey, bearer: lasting.accessToken }
    expect(await credentials().current(signal)).toEqual(login)
    expect(storage.counters.refreshes).toBe(0)
  })

  it('is renewed when a minute or less is left, and kept', async () => {
    keep({ ...first, expiresAtMs: Date.now() + minuteMs - 1 })
    const { bearer } = await credentials().current(signal)
    expect(bearer).not.toBe(first.accessToken)
    expect(storage.counters.refreshes).toBe(1)
    expect(readSession(file)).toMatchObject({ accessToken: bearer, email: first.email, userId: first.userId })
    expect(await credentials().current(signal)).toMatchObject({ bearer })
    expect(storage.counters.refreshes).toBe(1)
  })

  it('is renewed when the service has refused its token before its time', async () => {
    keep({ ...first, expiresAtMs: Date.now() + 30 * minuteMs })
    const used = credentials()
    const { bearer } = await used.current(signal)
    const all = await Promise.all([
      used.renewed(bearer, signal),
      used.renewed(bearer, signal),
      credentials().renewed(bearer, signal),
    ])
    expect(new Set(all.map((each) => each.bearer)).size).toBe(1)
    expect(all[0]?.bearer).not.toBe(bearer)
    expect(storage.counters.refreshes).toBe(1)
  })

  it('that holds for less than two minutes is used for half of its time', async () => {
    storage.accounts.sessionSeconds = 60
    let nowMs = Date.now()
    const used = credentials(() => nowMs)
    const { bearer } = await used.current(signal)
    nowMs += 29_000
    expect((await used.current(signal)).bearer).toBe(bearer)
    nowMs += 2000
    expect((await used.current(signal)).bearer).not.toBe(bearer)
    expect(storage.counters.refreshes).toBe(2)
  })

  it('is renewed once for all transfers of a thread', async () => {
    const used = credentials()
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, at) => (at % 2 ? used : credentials()).current(signal)),
    )
    expect(new Set(all.map(({ bearer }) => bearer)).size).toBe(1)
    expect(storage.counters.refreshes).toBe(1)
  })

  it('is renewed once for ten threads', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => asThread()))
    expect(new Set(all)).toEqual(new Set([readSession(file)?.accessToken]))
    expect(storage.counters.refreshes).toBe(1)
  })

  it('is renewed once for ten processes, of which half were refused', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, at) => (at % 2 ? asProcess() : asProcess(first.accessToken))),
    )
    expect(new Set(all)).toEqual(new Set([readSession(file)?.accessToken]))
    expect(storage.counters.refreshes).toBe(1)
  })

  it('is not asked for by whoever is told to stop while another renews it', async () => {
    const lock = tryLock(sessionLock(file))
    const stop = new AbortController()
    const wanted = credentials().current(stop.signal)
    stop.abort()
    await expect(wanted).rejects.toMatchObject({ code: 'interrupted' })
    lock?.release()
    expect(storage.counters.refreshes).toBe(0)
  })

  it('is renewed for whoever comes when all others were told to stop', async () => {
    const lock = tryLock(sessionLock(file))
    const stop = new AbortController()
    // in the very moment: the renewal that has lost its last waiter is still about to end
    const wanted = credentials()
      .current(stop.signal)
      .catch(() => credentials().current(signal))
    stop.abort()
    lock?.release()
    expect((await wanted).bearer).not.toBe(first.accessToken)
    expect(storage.counters.refreshes).toBe(1)
  })

  it('is renewed once, also when whoever asked for it stops before the answer', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const token = storage.fault({ path: '/auth/v1/token' }, { do: 'hold-answer', until: promise })
    const stop = new AbortController()
    const stopped = credentials().current(stop.signal)
    await expect.poll(() => token.hits).toBe(1)
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' })
    const wanted = credentials().current(signal)
    resolve()
    expect((await wanted).bearer).not.toBe(first.accessToken)
    expect(storage.counters.refreshes).toBe(1)
  })
})

describe('a session that cannot be renewed', () => {
  const failure = async (used = credentials()): Promise<Error & { hint?: string }> => {
    const error: unknown = await used.current(signal).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    return error as Error
  }
  const holdsNoSecret = (error: Error & { hint?: string }): void => {
    const said = [error.message, error.hint, error.stack, JSON.stringify(error), String((error.cause as Error)?.stack)]
    for (const secret of [first.accessToken, first.refreshToken, storage.anonKey])
      expect(said.join('\n')).not.toContain(secret)
  }

  it('says that one has to log in again, where its token is refused', async () => {
    keep({ ...first, refreshToken: 'somebody-used-it' })
    const error = await failure()
    expect(error).toMatchObject({
      code: 'destination-refused',
      retry: 'never',
      message: `The login at ${storage.url} has ended (refresh_token_not_found).`,
      hint: expect.stringContaining('lumina login supabase') as string,
    })
    holdsNoSecret(error)
    expect(readSession(file)?.refreshToken).toBe('somebody-used-it')
  })

  it.each([500, 503])('may be tried again, where the service answers %i', async (status) => {
    storage.fault({ path: '/auth/v1/token' }, { do: 'answer', status, body: 'no' })
    const used = credentials()
    const error = await failure(used)
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
    holdsNoSecret(error)
    expect((await used.current(signal)).bearer).not.toBe(first.accessToken)
  })

  it('may be tried again, where the service is busy', async () => {
    storage.fault({ path: '/auth/v1/token' }, { do: 'answer', status: 429 })
    expect(await failure()).toMatchObject({ code: 'destination-busy', retry: 'transient' })
  })

  it('may be tried again, where the connection breaks', async () => {
    storage.fault({ path: '/auth/v1/token' }, { do: 'reset', when: 'before-body' })
    const error = await failure()
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
    holdsNoSecret(error)
    expect(readdirSync(dirname(file))).toEqual([file.slice(dirname(file).length + 1)])
  })

  it('says so, where it was logged out meanwhile', async () => {
    const used = credentials()
    removeSession(file)
    expect(await failure(used)).toMatchObject({ code: 'destination-refused' })
  })

  it('uses its token up only when the next one can be kept', async () => {
    const used = credentials()
    const folder = `${file}.new`
    // a folder in the way of the draft, with something in it
    mkdirSync(join(folder, 'x'), { recursive: true })
    expect(await failure(used)).toMatchObject({ code: 'config', message: expect.stringContaining(file) as string })
    expect(storage.counters.refreshes).toBe(0)
    rmSync(folder, { recursive: true })
    expect((await used.current(signal)).bearer).not.toBe(first.accessToken)
  })

  it('after a kill -9 between answer and file is lost, and nothing else: it says what to do', async () => {
    const answered = Promise.withResolvers<void>()
    storage.fault({ path: '/auth/v1/token' }, { do: 'hold-answer', until: answered.promise })
    const child = spawn(process.execPath, [userScript, file], { stdio: 'ignore' })
    await expect.poll(() => storage.counters.refreshes, { timeout: 20_000 }).toBe(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    answered.resolve()
    expect(readSession(file)).toEqual(first)
    const error = await failure()
    expect(error).toMatchObject({
      code: 'destination-refused',
      message: `The login at ${storage.url} has ended (refresh_token_already_used).`,
      hint: 'Log in again: lumina login supabase',
    })
    holdsNoSecret(error)
  })
})

describe('the file of a session', () => {
  it.skipIf(process.platform === 'win32')('is for its owner alone, and so is its folder, whatever they were', () => {
    expect([modeOf(file), modeOf(dirname(file))]).toEqual([0o600, 0o700])
    writeFileSync(`${file}.new`, 'left by a killed process', { mode: 0o644 })
    keep(first)
    expect([modeOf(file), readdirSync(dirname(file)).length]).toEqual([0o600, 1])
  })

  it('is named after host and port, under any system', () => {
    expect(sessionFile('/c', 'https://abc.supabase.co')).toBe(join('/c', 'sessions', 'abc.supabase.co.json'))
    expect(sessionFile('/c', 'http://[::1]:54321')).toBe(join('/c', 'sessions', '%5B%3A%3A1%5D%3A54321.json'))
  })

  it('lists all logins of this user', () => {
    const other = { ...first, url: 'https://abc.supabase.co' }
    draftSession(sessionFile(configDir, other.url)).keep(other)
    expect(keptSessions(configDir).map(({ url }) => url)).toEqual([storage.url, other.url].toSorted())
    expect(keptSessions(join(configDir, 'none'))).toEqual([])
  })

  it('that holds something else is told without what it holds', () => {
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20))
    let message = ''
    try {
      readSession(file)
    } catch (error) {
      message = `${String(error)} ${String((error as Error).cause)}`
    }
    expect(message).toContain(`${file} holds no login`)
    expect(message).not.toContain(first.refreshToken)
  })
})

describe('what lets a user in', () => {
  it('is a key that was given, before any login', async () => {
    const login = await supabaseCredentials({ url: storage.url, configDir, key: 'k' }).current(signal)
    expect(login).toEqual({ apikey: 'k', bearer: 'k' })
  })

  it('is else the login at that project', async () => {
    const login = await supabaseCredentials({ url: storage.url, configDir }).current(signal)
    expect(login.apikey).toBe(storage.anonKey)
    expect(login.bearer).toBe(readSession(file)?.accessToken)
  })

  it.each(['https://other.supabase.co', 'secure'])('is no login at another place (%s)', (url) => {
    const asked = url === 'secure' ? storage.url.replace('http:', 'https:') : url
    expect(() => supabaseCredentials({ url: asked, configDir })).toThrow(
      expect.objectContaining({ code: 'config', hint: expect.stringContaining('lumina login supabase') as string }),
    )
  })
})
