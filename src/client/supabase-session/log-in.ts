import type { AuthClient, AuthError } from '@supabase/supabase-js'

import { LuminaError } from '../../errors.ts'
import { interruption } from '../interruption.ts'
import { exchangeFetch } from './exchange-fetch.ts'
import type { Session } from './file.ts'
import { sessionFrom } from './refresh.ts'

export interface PasswordLogin {
  url: string
  anonKey: string
  email: string
  password: string
}

/** @throws `destination-refused` for what does not fit, `destination-unreachable`, `destination-busy`, `interrupted` */
export async function logIn(
  { url, anonKey, email, password }: PasswordLogin,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<Session> {
  const { data, error } = await asking(url, anonKey, signal, (auth) => auth.signInWithPassword({ email, password }))
  if (error) throw refusal(error, url)
  const session = data.session && sessionFrom(data.session, { url, anonKey }, nowMs())
  if (session) return session
  throw new LuminaError('destination-refused', `${url} gave no login.`)
}

/** Ends the session at the project too; one that has ended is no error. @throws as `logIn` */
export async function revoke(
  { url, anonKey }: Pick<Session, 'url' | 'anonKey'>,
  accessToken: string,
  signal: AbortSignal,
): Promise<void> {
  const { error } = await asking(url, anonKey, signal, (auth) => auth.admin.signOut(accessToken, 'local'))
  if (error && ![401, 403, 404].includes(error.status ?? 0)) throw refusal(error, url)
}

/** supabase-js neither renews nor keeps anything by itself: one process of many must not. */
async function asking<T>(
  url: string,
  anonKey: string,
  signal: AbortSignal,
  ask: (auth: InstanceType<typeof AuthClient>) => Promise<T>,
): Promise<T> {
  const { AuthClient: Client } = await import('@supabase/supabase-js')
  const over = exchangeFetch(signal)
  let failure: { error: unknown } | undefined
  const auth = new Client({
    url: `${url}/auth/v1`,
    // written as supabase-js writes it: where it has a better one, that takes its place
    headers: { apikey: anonKey, Authorization: `Bearer ${anonKey}` },
    persistSession: false,
    autoRefreshToken: false,
    detectSessionInUrl: false,
    // what it throws, supabase-js would write to the console
    fetch: (...request) =>
      over(...request).catch((error: unknown) => {
        failure = { error }
        return Response.json({}, { status: 503 })
      }),
  })
  const answer = await ask(auth)
  if (signal.aborted) throw interruption(signal)
  if (failure) throw unreachable(url, failure.error)
  return answer
}

function unreachable(url: string, cause?: unknown): LuminaError {
  return new LuminaError('destination-unreachable', `${url} could not be reached.`, {
    retry: 'transient',
    ...(cause === undefined ? { hint: 'Try again later.' } : { hint: 'Is the URL right?', cause }),
  })
}

/** What the service says is not repeated: it may hold what was sent. */
function refusal({ status = 0, code }: AuthError, url: string): LuminaError {
  if (status === 429)
    return new LuminaError('destination-busy', `${url} lets nobody in for now: too many have tried.`, {
      retry: 'transient',
      hint: 'Try again in some minutes.',
    })
  if (status >= 500 || status === 0) return unreachable(url)
  if (code === 'invalid_credentials')
    return new LuminaError('destination-refused', 'Email and password do not belong together.')
  if (code === 'email_not_confirmed')
    return new LuminaError('destination-refused', 'The email address is not confirmed yet.', {
      hint: 'Follow the link in the mail that the project has sent.',
    })
  if (status === 401)
    return new LuminaError('destination-refused', `${url} does not know this anon key.`, {
      hint: "It stands in the project's settings, under API keys.",
    })
  const why = code !== undefined && /^[a-z_]{1,40}$/.test(code) ? code : `status ${status}`
  return new LuminaError('destination-refused', `${url} refused the login (${why}).`)
}
