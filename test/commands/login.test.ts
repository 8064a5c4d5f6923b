import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { supabaseCredentials } from '../../src/client/supabase-session.ts'
import { readSession, sessionFile } from '../../src/client/supabase-session/file.ts'
import { parse } from '../../src/cli/program.ts'
import { login } from '../../src/commands/login.ts'
import { refreshTokenIn } from '../../src/commands/login/token.ts'
import { loadConfig } from '../../src/config.ts'
import { LuminaError } from '../../src/errors.ts'
import { fakeIo, type FakeIo } from '../report/fake-io.ts'
import { type FakeStorage, startStorage } from '../supabase/storage.ts'

const password = 'correct-horse'
const email = 'ann@example.org'
let storage: FakeStorage
let root: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  storage = await startStorage()
  storage.accounts.add(email, password)
  root = mkdtempSync(join(tmpdir(), 'lumina-login-'))
  env = { SUPABASE_URL: storage.url, SUPABASE_ANON_KEY: storage.anonKey }
})
afterEach(async () => {
  await storage.close()
  rmSync(root, { recursive: true, force: true })
})

const userFile = (): string => join(root, 'user', 'config.json')
const file = (): string => sessionFile(dirname(userFile()), storage.url)

interface Said {
  code: number
  error: LuminaError | undefined
  io: FakeIo
  /** Everything that anybody gets to see. */
  shown: string
  rawModes: boolean[]
}

/** One command line, with what is typed at its questions; `piped` comes instead where there is no terminal. */
async function run(args: string[], { typed, piped }: { typed?: string; piped?: string } = {}): Promise<Said> {
  const isTerminal = typed !== undefined
  const io = fakeIo({ cwd: root, env, stdinTty: isTerminal, stderrTty: isTerminal })
  const rawModes: boolean[] = []
  Object.assign(io.stdin, { setRawMode: (raw: boolean) => rawModes.push(raw) })
  io.stdin.end(typed ?? piped ?? '')
  const consoles = (['error', 'warn', 'log'] as const).map((name) => vi.spyOn(console, name).mockReturnValue())
  const invocation = parse(['login', ...args], io)
  if (typeof invocation === 'number') throw new Error('was no command')
  const { flags } = invocation
  const places = { userFile: userFile(), stateDir: join(root, 'state') }
  const config = await loadConfig({ command: 'login', flags, env, cwd: root, nowMs: io.now(), places })
  const ended = await login(config, invocation.login, io).catch((error: unknown) => error)
  for (const spy of consoles) {
    expect(spy).not.toHaveBeenCalled()
    spy.mockRestore()
  }
  if (typeof ended !== 'number' && !(ended instanceof LuminaError)) throw ended
  const error = typeof ended === 'number' ? undefined : ended
  const shown = [io.stdout.text, io.stderr.text, error?.message, error?.hint, error?.stack, JSON.stringify(error)]
  const causes = error?.cause instanceof Error ? error.cause.stack : ''
  return { code: typeof ended === 'number' ? ended : -1, error, io, shown: [...shown, causes].join('\n'), rawModes }
}

const answers = `${email}\r${password}\r`

describe('lumina login supabase', () => {
  it('asks for email and password, and keeps a session that lets one in', async () => {
    const { code, io, rawModes } = await run(['supabase'], { typed: answers })
    expect(code).toBe(0)
    expect(io.stderr.text).toContain(`Logged in at ${storage.url} as ${email}.`)
    expect(rawModes).toEqual([true, false])
    expect(readSession(file())).toMatchObject({ url: storage.url, email, anonKey: storage.anonKey })
    const { bearer, apikey } = await supabaseCredentials({ url: storage.url, configDir: dirname(userFile()) }).current(
      new AbortController().signal,
    )
    const answer = await fetch(`${storage.url}/auth/v1/user`, {
      headers: { apikey, authorization: `Bearer ${bearer}` },
    })
    expect(answer.status).toBe(200)
  })

  it('asks for URL and anon key too, where no variable has them', async () => {
    env = {}
    const { code, io } = await run(['supabase'], { typed: `${storage.url}\n${storage.anonKey}\n${answers}` })
    expect(code).toBe(0)
    expect(io.stderr.text).toContain(`For uploads set SUPABASE_URL=${storage.url}`)
  })

  it.skipIf(process.platform === 'win32')('keeps it for the eyes of this user alone', async () => {
    await run(['supabase'], { typed: answers })
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(file())).mode & 0o777).toBe(0o700)
  })

  it('shows neither password nor token, and writes the password nowhere', async () => {
    const { shown } = await run(['supabase'], { typed: answers })
    const session = readSession(file())
    for (const secret of [password, session?.accessToken, session?.refreshToken]) expect(shown).not.toContain(secret)
    const kept = readdirSync(root, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
    for (const each of kept) expect(readFileSync(join(each.parentPath, each.name), 'utf8')).not.toContain(password)
  })

  it('takes a password as it is typed: corrected, pasted, and of any letters', async () => {
    storage.accounts.add('ann2@example.org', 'pässwörd 🔑x')
    const keys = 'wrong\u0015pä\u001b[Dsy\u007fswörd \u001b[200~🔑🔑\u007fx\u001b[201~'
    expect(await run(['supabase'], { typed: `ann2@example.org\n${keys}\r` })).toMatchObject({ code: 0 })
  })

  it('says that a wrong password is wrong, and keeps what was there', async () => {
    await run(['supabase'], { typed: answers })
    const before = readFileSync(file(), 'utf8')
    const { error, shown } = await run(['supabase'], { typed: `${email}\nnot-my-password\n` })
    expect(error).toMatchObject({ code: 'destination-refused', message: 'Email and password do not belong together.' })
    expect(shown).not.toContain('not-my-password')
    expect(readFileSync(file(), 'utf8')).toBe(before)
    expect(readdirSync(dirname(file()))).toHaveLength(1)
  })

  it.each([
    [429, 'destination-busy'],
    [503, 'destination-unreachable'],
    [401, 'destination-refused'],
    [422, 'destination-refused'],
  ])('tells an answer %i as %s, without what was sent', async (status, code) => {
    storage.fault({ path: '/auth/v1/token' }, { do: 'answer', status, body: { msg: `${password} is no good` } })
    const { error, shown } = await run(['supabase'], { typed: answers })
    expect(error?.code).toBe(code)
    expect(shown).not.toContain(password)
  })

  it('tells a connection that breaks', async () => {
    storage.fault({ path: '/auth/v1/token' }, { do: 'reset', when: 'before-body' })
    const { error, shown } = await run(['supabase'], { typed: answers })
    expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'transient' })
    expect(shown).not.toContain(password)
  })

  it('asks nothing of nobody: exit 2 and an example', async () => {
    const { error } = await run(['supabase'], { piped: answers })
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('--token-stdin') as string })
    expect(existsSync(file())).toBe(false)
  })

  it('ends by Ctrl-C at the password, and gives the terminal back', async () => {
    const { error, rawModes, io } = await run(['supabase'], { typed: `${email}\nhalf\u0003` })
    expect(error?.code).toBe('interrupted')
    expect(rawModes).toEqual([true, false])
    expect(io.stdin.isPaused()).toBe(true)
  })

  it('ends where the input ends', async () => {
    expect((await run(['supabase'], { typed: `${email}\nhalf` })).error?.code).toBe('usage')
    expect((await run(['supabase'], { typed: `${email}\nhalf\u0004` })).error?.code).toBe('usage')
  })

  it.each(['ftp://x', 'https://ann:pw@x.supabase.co', ''])('refuses %j as a project', async (url) => {
    env = { SUPABASE_ANON_KEY: storage.anonKey }
    const { error, shown } = await run(['supabase'], { typed: `${url}\n${answers}` })
    expect(error?.code).toBe('config')
    expect(shown).not.toContain('pw@')
  })

  it('knows no other service', async () => {
    expect((await run(['s3'], { typed: answers })).error?.code).toBe('usage')
  })

  it('has no argument for a password', () => {
    expect(() => parse(['login', 'supabase', '--password', 'x'], fakeIo())).toThrow(/unknown option/)
    expect(() => parse(['login', 'supabase', password], fakeIo())).toThrow(/too many arguments/)
  })
})

describe('lumina login supabase --token-stdin', () => {
  const session = async (): Promise<Record<string, string>> => {
    const answer = await fetch(`${storage.url}/auth/v1/token?grant_type=password`, {
      method: 'POST',
      body: JSON.stringify({ email, password }),
    })
    return (await answer.json()) as Record<string, string>
  }

  it('takes the session that another program got', async () => {
    const given = await session()
    const { code, shown } = await run(['supabase', '--token-stdin'], { piped: JSON.stringify(given) })
    expect(code).toBe(0)
    expect(readSession(file())).toMatchObject({ email, anonKey: storage.anonKey })
    for (const secret of [given['access_token'], given['refresh_token']]) expect(shown).not.toContain(secret)
  })

  it('is what an empty email asks for at a terminal, unseen', async () => {
    const { refresh_token: token } = await session()
    const { code, shown, rawModes } = await run(['supabase'], { typed: `\n${token}\n` })
    expect(code).toBe(0)
    expect(shown).not.toContain(token)
    expect(rawModes).toEqual([true, false])
  })

  it('says so when the token is not taken', async () => {
    const { error, shown } = await run(['supabase', '--token-stdin'], { piped: 'not-a-known-token' })
    expect(error?.code).toBe('destination-refused')
    expect(shown).not.toContain('not-a-known-token')
  })

  it('says which variable is missing', async () => {
    env = { SUPABASE_URL: storage.url }
    const { error } = await run(['supabase', '--token-stdin'], { piped: 'x' })
    expect(error).toMatchObject({ code: 'config', message: 'SUPABASE_ANON_KEY is not set' })
  })

  it.each([
    ['JSON', '{"access_token": "a.b.c", "refresh_token": "r-efresh"}'],
    ['JSON around it', '{"data": {"session": {"refresh_token": "r-efresh"}}}'],
    ['two lines', 'aaa.bbb.ccc\nr-efresh\n'],
    ['two lines the other way', ' r-efresh\r\naaa.bbb.ccc'],
    ['one token', 'r-efresh'],
    ['the address of a link', 'https://x.org/#access_token=aaa.bbb.ccc&expires_in=3600&refresh_token=r-efresh&type=m'],
  ])('finds the refresh token in %s', (_, pasted) => {
    expect(refreshTokenIn(pasted)).toBe('r-efresh')
  })

  it.each(['', 'aaa.bbb.ccc', 'one-token two-tokens', '{"refresh_token": 1}', '#refresh_token=%'])(
    'finds none in %j, and does not repeat it',
    (pasted) => {
      expect(() => refreshTokenIn(pasted)).toThrow(/^What was given holds no refresh token\.$/)
    },
  )
})

describe('lumina login supabase --logout', () => {
  const loggedIn = (): Promise<Said> => run(['supabase'], { typed: answers })

  it('ends the session there, and removes it here', async () => {
    await loggedIn()
    const bearers: (string | undefined)[] = []
    const there = storage.fault(
      { method: 'POST', path: '/auth/v1/logout', when: ({ req }) => bearers.push(req.headers.authorization) > 0 },
      { do: 'answer', status: 204 },
    )
    const token = readSession(file())?.accessToken
    expect((await run(['supabase', '--logout'])).code).toBe(0)
    expect(there.hits).toBe(1)
    expect(bearers).toEqual([`Bearer ${token}`])
    expect(readdirSync(dirname(file()))).toEqual([])
  })

  it('needs no URL where there is one login', async () => {
    await loggedIn()
    env = {}
    storage.fault({ path: '/auth/v1/logout' }, { do: 'answer', status: 204 })
    expect((await run(['supabase', '--logout'])).code).toBe(0)
    expect(existsSync(file())).toBe(false)
  })

  it('removes it here also where the project cannot be told, and says so: exit 1', async () => {
    await loggedIn()
    storage.fault({ path: '/auth/v1/logout' }, { do: 'answer', status: 500 })
    const { code, io } = await run(['supabase', '--logout'])
    expect(code).toBe(1)
    expect(io.stderr.text).toContain('could not be ended')
    expect(existsSync(file())).toBe(false)
  })

  it('is done where the session has ended there already', async () => {
    await loggedIn()
    storage.fault({ path: '/auth/v1/logout' }, { do: 'answer', status: 403, body: { error_code: 'session_not_found' } })
    expect((await run(['supabase', '--logout'])).code).toBe(0)
  })

  it('says that there is none', async () => {
    expect((await run(['supabase', '--logout'])).error).toMatchObject({
      code: 'usage',
      message: `you are not logged in at ${storage.url}`,
    })
  })
})
