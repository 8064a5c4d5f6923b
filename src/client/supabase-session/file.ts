import {
  chmodSync,
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import { LuminaError, systemCode } from '../../errors.ts'

/** A user's login to a project, as it lies on the disk of this machine. It holds secrets. */
export interface Session {
  /** The project's origin. */
  readonly url: string
  readonly anonKey: string
  readonly userId: string
  readonly email: string
  readonly accessToken: string
  /** Can be used once; the answer holds the next. */
  readonly refreshToken: string
  /** By this machine's clock. */
  readonly expiresAtMs: number
  /** How long an access token holds from its making. */
  readonly lifetimeMs: number
}

const suffix = '.json'
const sessionsFolder = (configDir: string): string => join(configDir, 'sessions')

/** Where the login to the project at `url` is kept. */
export function sessionFile(configDir: string, url: string): string {
  // a port's colon is no part of a name on Windows
  return join(sessionsFolder(configDir), `${encodeURIComponent(new URL(url).host)}${suffix}`)
}

/** The lock of a login lies beside it: runs with different `--state` share the one and need the other. */
export const sessionLock = (file: string): string => `${file.slice(0, -suffix.length)}.lock`

/** Every login that this user has on this machine. */
export function keptSessions(configDir: string): Session[] {
  const folder = sessionsFolder(configDir)
  const names = namesIn(folder).filter((name) => name.endsWith(suffix))
  return names.flatMap((name) => readSession(join(folder, name)) ?? [])
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw unreadable(folder, error)
  }
}

/** The login in `file`, or undefined where there is none. @throws `config` for a file that holds something else */
export function readSession(file: string): Session | undefined {
  const text = textOf(file)
  if (text === undefined) return undefined
  const session = parsed(text)
  if (session) return session
  throw new LuminaError('config', `${file} holds no login.`, { hint: logInAgain })
}

export const logInAgain = 'Log in again: lumina login supabase'

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw unreadable(file, error)
  }
}

function unreadable(path: string, error: unknown): LuminaError {
  return new LuminaError('config', `${path} cannot be read (${systemCode(error) ?? 'unknown'}).`, { cause: error })
}

const texts = ['url', 'anonKey', 'userId', 'email', 'accessToken', 'refreshToken'] as const
const numbers = ['expiresAtMs', 'lifetimeMs'] as const

/** What JSON.parse says of a text holds a piece of it: its error goes nowhere. */
function parsed(text: string): Session | undefined {
  try {
    const session = JSON.parse(text) as Record<string, unknown>
    const isWhole =
      texts.every((name) => typeof session[name] === 'string') &&
      numbers.every((name) => Number.isFinite(session[name]))
    return isWhole ? (session as unknown as Session) : undefined
  } catch {
    return undefined
  }
}

/** Room on the disk for a session to come. */
export interface Draft {
  /** Puts `session` in the place of what was there, in one step and durably. */
  keep(session: Session): void
  discard(): void
}

/** Longer than a session gets: a refreshed one may be longer than the one before. */
const roomBytes = 16 * 1024

/**
 * Takes the room for a new session before the old one is used up: a full disk or a folder that takes nothing is told while nothing is
 * lost. The caller holds the session's lock. @throws `config`
 */
export function draftSession(file: string): Draft {
  const draft = `${file}.new`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    chmodSync(dirname(file), 0o700)
    // what a killed process left there; its mode may be anything
    rmSync(draft, { force: true })
    const fd = openSync(draft, 'wx', 0o600)
    return opened(fd, draft, file)
  } catch (error) {
    throw unwritable(file, error)
  }
}

function opened(fd: number, draft: string, file: string): Draft {
  const discard = (): void => {
    closeSync(fd)
    rmSync(draft, { force: true })
  }
  try {
    writeAll(fd, Buffer.alloc(roomBytes, ' '))
  } catch (error) {
    discard()
    throw error
  }
  const keep = (session: Session): void => {
    const content = Buffer.from(`${JSON.stringify(session, undefined, 2)}\n`)
    try {
      writeAll(fd, content)
      ftruncateSync(fd, content.length)
      fsyncSync(fd)
    } catch (error) {
      discard()
      throw unwritable(file, error)
    }
    closeSync(fd)
    publish(draft, file)
  }
  return { keep, discard }
}

function writeAll(fd: number, content: Buffer): void {
  for (let at = 0; at < content.length;) at += writeSync(fd, content, at, content.length - at, at)
}

function publish(draft: string, file: string): void {
  try {
    renameSync(draft, file)
    flushFolder(dirname(file))
  } catch (error) {
    rmSync(draft, { force: true })
    throw unwritable(file, error)
  }
}

/** Makes names in `folder` outlive a power cut. */
function flushFolder(folder: string): void {
  // Windows has no such call
  if (process.platform === 'win32') return
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Ends what is kept of a login. The caller holds its lock. */
export function removeSession(file: string): void {
  rmSync(file, { force: true })
  rmSync(`${file}.new`, { force: true })
}

function unwritable(file: string, error: unknown): LuminaError {
  return new LuminaError('config', `The login cannot be kept in ${file} (${systemCode(error) ?? 'unknown'}).`, {
    cause: error,
    hint: 'Make room, or let this user write there; then: lumina login supabase',
  })
}
