import { LuminaError, type ErrorCode, type Retry } from '../../../errors.ts'
import type { Answer } from '../../http/exchange.ts'

/** What the service says when it refuses: the HTTP status is 400 almost always, and the body tells. */
export interface Refusal {
  status: number
  /** `NoSuchKey`, `KeyAlreadyExists` ... */
  code: string
  message: string
}

/** Reads a refusal out of an answer: JSON of the object API, plain text of resumable uploads. */
export function refusalOf({ status, body }: Pick<Answer, 'status' | 'body'>): Refusal {
  const text = body.toString('utf8', 0, 4096)
  try {
    const { statusCode, code, error, message } = JSON.parse(text) as Record<string, unknown>
    const told = Number(statusCode)
    return {
      status: told >= 400 && told < 600 ? told : status,
      code: typeof code === 'string' ? code : typeof error === 'string' ? error : '',
      message: typeof message === 'string' ? message : '',
    }
  } catch {
    return { status, code: '', message: text.trim() }
  }
}

/** Refusals of who asks. Others may hold the name of a file, which could say anything. */
const ofLogin: ReadonlySet<string> = new Set(['', 'AccessDenied', 'Unauthorized', 'InvalidJWT', 'invalid_jwt'])

/** Whether who asks was let in once, and is not any more. */
export function isExpired({ status, code, message }: Refusal): boolean {
  return ofLogin.has(code) && (status === 401 || status === 403 || status === 400) && /\bexp\b|expired/i.test(message)
}

/** A service that is older than the call. */
export function isMissingRoute({ status, message }: Refusal): boolean {
  return status === 404 && message.startsWith('Route ')
}

interface Meaning {
  code: ErrorCode
  retry?: Retry
  message: string
  hint?: string
}

/** What a refusal of `what` (a key, or a call) at `place` means for the run. */
export function failure(refusal: Refusal, place: string, what: string): LuminaError {
  const { code, message, ...options } = meaning(refusal, place, what)
  return new LuminaError(code, message, { ...options, cause: new Error(`${refusal.status} ${refusal.code}`) })
}

const busyStatus: ReadonlySet<number> = new Set([408, 423, 425, 429, 500, 502, 503, 504, 520, 522, 524, 544])
const busyCode: ReadonlySet<string> = new Set(['SlowDown', 'LockTimeout', 'DatabaseTimeout', 'DatabaseReadOnly'])

function meaning(refusal: Refusal, place: string, what: string): Meaning {
  const { status, code, message } = refusal
  if (busyCode.has(code) || busyStatus.has(status))
    return {
      code: 'destination-busy',
      retry: 'transient',
      message: `${place} is too busy for ${what} (${status}${named(code)}).`,
    }
  if (code === 'NoSuchBucket' || /bucket not found/i.test(message))
    return {
      code: 'destination-missing',
      message: `There is no bucket at ${place}.`,
      hint: 'Check its name, and make it in the dashboard of the project.',
    }
  const notLetIn = ofLogin.has(code) && /signature verification|invalid compact jws|jwt/i.test(message)
  if (status === 401 || status === 403 || notLetIn) return refused(refusal, place)
  if (status === 413 || code === 'EntityTooLarge')
    return {
      code: 'too-large',
      message: `${what} is larger than ${place} takes.`,
      hint: "The limit is set for the bucket, and for the project under Storage's settings.",
    }
  if (status === 415 || code === 'InvalidMimeType')
    return {
      code: 'kind-refused',
      message: `${place} takes no files of the kind of ${what}.`,
      hint: 'The bucket lists what it takes (allowed_mime_types): add the kind there, or leave such files out.',
    }
  if (code === 'InvalidKey') return { code: 'key-invalid', message: `${place} can't hold a file named ${what}.` }
  if (status === 409) return { code: 'key-taken', message: `${what} exists already at ${place}.` }
  if (status === 404 || status === 410) return { code: 'not-found', message: `There is no ${what} at ${place}.` }
  return { code: 'io', message: `${place} refused ${what} (${status}${named(code)}).` }
}

function named(code: string): string {
  return /^\w{1,40}$/.test(code) ? ` ${code}` : ''
}

function refused(refusal: Refusal, place: string): Meaning {
  if (isExpired(refusal))
    return {
      code: 'destination-refused',
      message: `The login for ${place} has expired.`,
      hint: 'Log in again, or set SUPABASE_KEY to a key that is valid.',
    }
  const byPolicy = /row-level security|policy/i.test(refusal.message)
  return {
    code: 'destination-refused',
    message: byPolicy
      ? `The policies of ${place} don't let this login store there.`
      : `${place} does not accept this key or login.`,
    hint: byPolicy
      ? 'An insert policy on storage.objects is enough; `lumina init supabase` prints one.'
      : 'Check SUPABASE_KEY, and that it belongs to the project of SUPABASE_URL.',
  }
}

/** A call that got no answer. */
export function unreachable(place: string, cause: Error): LuminaError {
  return new LuminaError('destination-unreachable', `${place} can't be reached. ${cause.message}`, {
    retry: 'transient',
    cause,
    hint: 'Is the network up, and SUPABASE_URL right? What is stored so far stays; run the same command again.',
  })
}

/** Retry-After: seconds, or a date. */
export function retryAfterMs({ headers }: Pick<Answer, 'headers'>, nowMs: number): number | undefined {
  const text = String(headers['retry-after'] ?? '')
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
