import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'

import { locked, sessionCredentials } from '../client/supabase-session/credentials.ts'
import {
  draftSession,
  keptSessions,
  removeSession,
  type Session,
  sessionFile,
  sessionLock,
} from '../client/supabase-session/file.ts'
import { logIn, revoke } from '../client/supabase-session/log-in.ts'
import { refreshed } from '../client/supabase-session/refresh.ts'
import type { Config } from '../config.ts'
import { quote } from '../config/quote.ts'
import { holdsSecret, secretFrom } from '../config/secrets.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import { printable } from '../report/printable.ts'
import { type Dialogue, dialogue, isTerminal } from './login/dialogue.ts'
import { refreshTokenIn } from './login/token.ts'

/** What `lumina login` is asked for. */
export interface LoginRequest {
  service: string
  logout: boolean
  /** The session comes on stdin; nobody is asked. */
  tokenStdin: boolean
}

/** `lumina login supabase`: a user's own session instead of a key. Passwords and tokens are asked for, never given as arguments. */
export async function login(config: Config, request: LoginRequest, io: Io): Promise<number> {
  if (request.service !== 'supabase')
    throw new LuminaError('usage', `there is no login for ${quote(request.service)}`, {
      hint: 'for example: lumina login supabase',
    })
  return request.logout ? logOut(config, io) : begin(config, request, io)
}

async function begin(config: Config, { tokenStdin }: LoginRequest, io: Io): Promise<number> {
  if (!tokenStdin && !isTerminal(io)) throw nobodyThere()
  const questions = isTerminal(io) ? dialogue(io) : undefined
  try {
    const session = await kept(config, await asked(config, { tokenStdin, questions }, io), io)
    say(io, `Logged in at ${session.url}${session.email === '' ? '' : ` as ${session.email}`}.`)
    if (config.services.supabase.url === undefined) say(io, `For uploads set SUPABASE_URL=${session.url}`)
    if (config.services.supabase.key !== undefined) say(io, 'SUPABASE_KEY is set, and goes before this login.')
    return exitCodes.done
  } finally {
    questions?.close()
  }
}

function nobodyThere(): LuminaError {
  return new LuminaError('usage', 'nobody is there to be asked: stdin and stderr are no terminal', {
    hint: 'for example, with SUPABASE_URL and SUPABASE_ANON_KEY set: lumina login supabase --token-stdin < session.json',
  })
}

interface How {
  tokenStdin: boolean
  questions: Dialogue | undefined
}

/** A login that needs no more answers. */
interface Prepared {
  url: string
  begin(): Promise<Session>
}

async function asked(config: Config, { tokenStdin, questions }: How, io: Io): Promise<Prepared> {
  const url = await projectUrl(config, questions)
  if (url.startsWith('http:') && !isLoopback(url))
    say(io, `${url} is not encrypted: others on the way can read what is sent.`)
  const anonKey = await anonKeyFor(io, questions)
  const byToken = (pasted: string): Prepared => {
    const refreshToken = refreshTokenIn(pasted)
    return { url, begin: () => refreshed({ url, anonKey, refreshToken }, io.now) }
  }
  if (tokenStdin && !questions) return byToken(await text(io.stdin))
  if (!questions) throw nobodyThere()
  const email = tokenStdin ? '' : await questions.ask('Email (nothing: a token instead)')
  if (email === '') return byToken(await questions.askHidden('Session or refresh token'))
  const password = await questions.askHidden('Password')
  return { url, begin: () => logIn({ url, anonKey, email, password }, io.now, io.hangup) }
}

async function projectUrl({ services }: Config, questions: Dialogue | undefined): Promise<string> {
  const given = services.supabase.url
  if (given !== undefined) return originOf(given, 'SUPABASE_URL')
  if (questions) return originOf(await questions.ask('URL of the project'), 'the answer')
  throw notSet('SUPABASE_URL', 'https://<ref>.supabase.co')
}

async function anonKeyFor({ env }: Io, questions: Dialogue | undefined): Promise<string> {
  const key = secretFrom(env, 'SUPABASE_ANON_KEY') ?? (await questions?.ask('Anon key'))
  if (key === undefined) throw notSet('SUPABASE_ANON_KEY', "<the anon key of the project's settings>")
  // what a header cannot carry would be repeated by the error that says so
  if (/^[\x21-\x7e]+$/.test(key)) return key
  throw new LuminaError('config', 'the anon key is empty, or holds characters that no key has')
}

function notSet(name: string, example: string): LuminaError {
  return new LuminaError('config', `${name} is not set`, { hint: `for example ${name}=${example}` })
}

function originOf(given: string, where: string): string {
  const url = URL.parse(given.includes('://') ? given : `https://${given}`)
  const isFit = url !== null && /^https?:$/.test(url.protocol) && !holdsSecret(given)
  if (isFit) return url.origin
  throw new LuminaError('config', `${where} is not the URL of a project`, {
    hint: 'it looks like https://<ref>.supabase.co',
  })
}

const isLoopback = (url: string): boolean => /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname)

/** Begins the session only where it can be kept: the token it comes from may be used up by that. */
async function kept(config: Config, { url, begin: beginSession }: Prepared, io: Io): Promise<Session> {
  const file = sessionFile(dirname(config.userFile), url)
  const lock = await locked(sessionLock(file), io.hangup)
  try {
    const draft = draftSession(file)
    const session = await beginSession().catch((error: unknown) => {
      draft.discard()
      throw error
    })
    draft.keep(session)
    return session
  } finally {
    lock.release()
  }
}

async function logOut(config: Config, io: Io): Promise<number> {
  const configDir = dirname(config.userFile)
  const session = chosen(config, keptSessions(configDir))
  const file = sessionFile(configDir, session.url)
  const failure = await revoked(session, file, io)
  const lock = await locked(sessionLock(file), io.hangup)
  try {
    removeSession(file)
  } finally {
    lock.release()
  }
  say(io, `Logged out of ${session.url} on this machine.`)
  if (failure === undefined) return exitCodes.done
  say(io, `There it could not be ended: ${failure.message} Whoever has a copy of it is still let in.`)
  return exitCodes.someFailed
}

/** @throws `usage` where it is not clear which login is meant */
function chosen({ services }: Config, sessions: readonly Session[]): Session {
  const url = services.supabase.url === undefined ? undefined : originOf(services.supabase.url, 'SUPABASE_URL')
  const fitting = url === undefined ? sessions : sessions.filter((each) => each.url === url)
  const [only, ...others] = fitting
  if (only && others.length === 0) return only
  if (!only) throw new LuminaError('usage', `you are not logged in${url === undefined ? '' : ` at ${url}`}`)
  throw new LuminaError('usage', 'you are logged in at more than one project', {
    hint: `say at which: SUPABASE_URL=${only.url} lumina login supabase --logout`,
  })
}

/** Why the session could not be ended at the project; undefined when it has ended. */
async function revoked(session: Session, file: string, io: Io): Promise<LuminaError | undefined> {
  const credentials = sessionCredentials({ file, lockPath: sessionLock(file), nowMs: io.now })
  try {
    const { bearer } = await credentials.current(io.hangup)
    await revoke(session, bearer, io.hangup)
    return undefined
  } catch (error) {
    if (!(error instanceof LuminaError) || error.code === 'interrupted') throw error
    // it has ended there already
    return error.code === 'destination-refused' ? undefined : error
  }
}

function say(io: Io, text: string): void {
  io.stderr.write(`${printable(text)}\n`)
}
