import { LuminaError } from '../../errors.ts'
import { type Answer, connections, exchange } from '../http/exchange.ts'
import { logInAgain, type Session } from './file.ts'

/** A service that has not answered by then is not going to. */
const answerMs = 30_000

/** What a session is begun from. */
export type Renewable = Pick<Session, 'url' | 'anonKey' | 'refreshToken'>

/**
 * Changes a refresh token, which is used up by this, into a session. One plain request: supabase-js would ask again for half a minute,
 * whatever the run wants meanwhile, and each lane would have to load it.
 * @throws `destination-refused` for a token that is not taken; `destination-unreachable` or `destination-busy`, both transient
 */
export async function refreshed({ url, anonKey, refreshToken }: Renewable, nowMs: () => number): Promise<Session> {
  const answer = await post(url, anonKey, { refresh_token: refreshToken })
  const json = jsonOf(answer)
  if (answer.status !== 200) throw refusal(answer.status, json['error_code'], url)
  const session = sessionFrom(json, { url, anonKey }, nowMs())
  if (session) return session
  throw new LuminaError('destination-unreachable', `${url} answered a login with something that is none.`, {
    retry: 'transient',
  })
}

async function post(url: string, anonKey: string, body: object): Promise<Answer> {
  const target = new URL('/auth/v1/token?grant_type=refresh_token', url)
  const agent = connections(target, 1)
  try {
    return await exchange(agent, {
      method: 'POST',
      url: target,
      headers: { apikey: anonKey, authorization: `Bearer ${anonKey}`, 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
      signal: AbortSignal.timeout(answerMs),
    })
  } catch (error) {
    throw unreachable(url, error)
  } finally {
    agent.destroy()
  }
}

function unreachable(url: string, cause: unknown): LuminaError {
  return new LuminaError('destination-unreachable', `${url} could not be reached to renew the login.`, {
    retry: 'transient',
    cause,
  })
}

function jsonOf({ body }: Answer): Record<string, unknown> {
  try {
    return Object(JSON.parse(body.toString('utf8'))) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** What the service says of a token is not repeated: it may hold a piece of it. */
function refusal(status: number, code: unknown, url: string): LuminaError {
  if (status === 429)
    return new LuminaError('destination-busy', `${url} renews no more logins for now.`, { retry: 'transient' })
  if (status >= 500)
    return new LuminaError('destination-unreachable', `${url} could not renew the login (${status}).`, {
      retry: 'transient',
    })
  const why = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : `status ${status}`
  return new LuminaError('destination-refused', `The login at ${url} has ended (${why}).`, { hint: logInAgain })
}

/** The session that the service's JSON describes, or undefined when it describes none. */
export function sessionFrom(
  json: object,
  { url, anonKey }: Pick<Session, 'url' | 'anonKey'>,
  nowMs: number,
): Session | undefined {
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds, user } = json as Answered
  if (typeof accessToken !== 'string' || typeof refreshToken !== 'string' || accessToken === '' || refreshToken === '')
    return undefined
  // how long it holds, not until when: the clocks of two machines differ
  const lifetimeMs = (typeof seconds === 'number' && seconds > 0 ? seconds : 3600) * 1000
  const { id, email } = Object(user) as { id?: unknown; email?: unknown }
  return {
    url,
    anonKey,
    userId: typeof id === 'string' ? id : '',
    email: typeof email === 'string' ? email : '',
    accessToken,
    refreshToken,
    expiresAtMs: nowMs + lifetimeMs,
    lifetimeMs,
  }
}

interface Answered {
  access_token?: unknown
  refresh_token?: unknown
  expires_in?: unknown
  user?: unknown
}
