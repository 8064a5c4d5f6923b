import { setTimeout as pause } from 'node:timers/promises'

import { LuminaError } from '../../errors.ts'
import { isLocked, type Lock, tryLock } from '../../state/lock.ts'
import type { Credentials, Login } from '../http/credentials.ts'
import { interruption } from '../interruption.ts'
import { draftSession, logInAgain, readSession, type Session } from './file.ts'
import { refreshed } from './refresh.ts'

export interface SessionOptions {
  /** Where the session is kept. */
  file: string
  /** Held while it is renewed. */
  lockPath: string
  nowMs: () => number
}

/** A transfer of a piece takes about this long on a slow line; a request begun with less may arrive too late. */
const marginMs = 60_000
/** A renewal takes a fraction of a second. */
const pollMs = 50

/**
 * A user's login, renewed when it is about to expire: once, for all transfers, threads and processes that use it, since a refresh token
 * can be used once.
 */
export function sessionCredentials(options: SessionOptions): Credentials {
  const { file, nowMs } = options
  let session: Session | undefined

  async function fresh(refused: string | undefined, signal: AbortSignal): Promise<Login> {
    const isGood = (one: Session): boolean => one.accessToken !== refused && hasTime(one, nowMs())
    if (!session || !isGood(session)) session = kept(file)
    if (!isGood(session)) session = await joined(options, isGood, signal)
    // what was under way was begun by somebody who did not know that this one is refused
    if (session.accessToken === refused) session = await joined(options, isGood, signal)
    return { apikey: session.anonKey, bearer: session.accessToken }
  }
  return {
    current: (signal) => fresh(undefined, signal),
    renewed: (refusedBearer, signal) => fresh(refusedBearer, signal),
  }
}

/** Half of what a short-lived token has is always used, or each request would renew it. */
function hasTime({ expiresAtMs, lifetimeMs }: Session, nowMs: number): boolean {
  return expiresAtMs - nowMs > Math.min(marginMs, lifetimeMs / 2)
}

function kept(file: string): Session {
  const session = readSession(file)
  if (session) return session
  throw new LuminaError('destination-refused', 'You have been logged out meanwhile.', { hint: logInAgain })
}

interface Renewal {
  result: Promise<Session>
  waiting: number
  /** Ends the wait for the lock, when nobody waits for the session any more. */
  nobody: AbortController
}

/** What this thread is renewing, by file. */
const underWay = new Map<string, Renewal>()

/** Waits for the renewal that this thread has under way, or begins one. */
async function joined(
  options: SessionOptions,
  isGood: (session: Session) => boolean,
  signal: AbortSignal,
): Promise<Session> {
  if (signal.aborted) throw interruption(signal)
  const renewal = underWay.get(options.file) ?? begun(options, isGood)
  renewal.waiting++
  const gone = Promise.withResolvers<never>()
  const onAbort = (): void => gone.reject(interruption(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([renewal.result, gone.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (--renewal.waiting === 0) abandon(options.file, renewal)
  }
}

/** Whoever comes from here on begins another: this one may end as interrupted, which they are not. */
function abandon(file: string, renewal: Renewal): void {
  forget(file, renewal)
  renewal.nobody.abort()
}

function forget(file: string, renewal: Renewal): void {
  if (underWay.get(file) === renewal) underWay.delete(file)
}

function begun(options: SessionOptions, isGood: (session: Session) => boolean): Renewal {
  const nobody = new AbortController()
  const result = renew(options, isGood, nobody.signal).finally(() => forget(options.file, renewal))
  // whoever waits hears of it; nobody may be left
  result.catch(() => {})
  const renewal: Renewal = { result, waiting: 0, nobody }
  underWay.set(options.file, renewal)
  return renewal
}

/** Once the token is on its way, no signal ends this: what comes back is the only one that holds from then on. */
async function renew(
  { file, lockPath, nowMs }: SessionOptions,
  isGood: (session: Session) => boolean,
  signal: AbortSignal,
): Promise<Session> {
  const lock = await locked(lockPath, signal)
  try {
    const before = kept(file)
    // somebody else has renewed it while we waited
    if (isGood(before)) return before
    return await replaced(file, before, nowMs)
  } finally {
    lock.release()
  }
}

/** Looks before it asks: asking blocks this thread, and its transfers, for a while. */
export async function locked(lockPath: string, signal: AbortSignal): Promise<Lock> {
  for (;;) {
    const lock = isLocked(lockPath) ? undefined : tryLock(lockPath)
    if (lock) return lock
    try {
      await pause(pollMs, undefined, { signal })
    } catch {
      throw interruption(signal)
    }
  }
}

async function replaced(file: string, before: Session, nowMs: () => number): Promise<Session> {
  const draft = draftSession(file)
  const after = await refreshed(before, nowMs).catch((error: unknown) => {
    draft.discard()
    throw error
  })
  // an answer may leave out who the user is
  const session = { ...after, userId: after.userId || before.userId, email: after.email || before.email }
  draft.keep(session)
  return session
}
