import type { SupabaseClient } from '@supabase/supabase-js'

import { LuminaError } from '../../errors.ts'
import type { Credentials, Login } from '../http/credentials.ts'
import { type CallFunction, type FunctionsCatalog, functionsCatalog } from './functions.ts'
import { databaseFailure, unreachableDatabase } from './sql/failure.ts'
import { version } from './sql/schema.ts'

export interface SupabaseCatalogOptions {
  /** The project's address. */
  url: string
  credentials: Credentials
  library: string
  holder: string
  sleep?: (delayMs: number) => Promise<unknown>
}

/** A call that takes longer waits for something that may never come. */
const callTimeoutMs = 30_000

/**
 * The shared catalog as functions of a Supabase project (`lumina init supabase`), called through its REST interface. Its first call
 * finds out whether they are there.
 * @throws LuminaError `destination-missing` where the project has no such functions, or older ones
 */
export async function supabaseCatalog({
  url,
  credentials,
  ...options
}: SupabaseCatalogOptions): Promise<FunctionsCatalog> {
  const place = `the Supabase project ${URL.parse(url)?.host ?? ''}`.trimEnd()
  const call = await rpcOf(url, place, credentials)
  let isReady = false
  const ready: CallFunction = async (name, args) => {
    if (!isReady) checkVersion(place, Number(await call('version', {})))
    isReady = true
    return call(name, args)
  }
  return functionsCatalog(ready, options)
}

function checkVersion(place: string, found: number): void {
  if (found < version) {
    throw new LuminaError('destination-missing', `The catalog functions of ${place} are older than this Lumina.`, {
      hint: 'Bring them up to date with: lumina init supabase',
    })
  }
  if (found > version) {
    throw new LuminaError('state-newer', `A newer Lumina has set up the catalog of ${place}.`, {
      hint: 'Update Lumina on this machine.',
    })
  }
}

interface Answer {
  data: unknown
  error: { code?: string; message: string } | null
  status: number
}

async function rpcOf(url: string, place: string, credentials: Credentials): Promise<CallFunction> {
  const { createClient } = await import('@supabase/supabase-js')
  let used: { login: Login; client: SupabaseClient } | undefined
  const clientOf = (login: Login): SupabaseClient => {
    if (used?.login.bearer === login.bearer && used.login.apikey === login.apikey) return used.client
    const client = createClient(url, login.apikey, { accessToken: async () => login.bearer })
    used = { login, client }
    return client
  }
  const ask = async (login: Login, name: string, args: object): Promise<Answer> =>
    clientOf(login).rpc(`lumina_${name}`, args).abortSignal(AbortSignal.timeout(callTimeoutMs))

  return async (name, args) => {
    const signal = AbortSignal.timeout(callTimeoutMs)
    const login = await credentials.current(signal)
    let answer = await ask(login, name, args)
    if (isExpired(answer)) answer = await ask(await credentials.renewed(login.bearer, signal), name, args)
    if (answer.error) throw failure(place, answer)
    return answer.data
  }
}

/** PGRST303 since PostgREST 14, PGRST301 before; or a gateway in front of it that looks at the token. */
function isExpired({ error, status }: Answer): boolean {
  return error !== null && status === 401 && /expired/i.test(error.message)
}

/** https://docs.postgrest.org/en/stable/references/errors.html */
function failure(place: string, { error, status }: Answer): LuminaError {
  const { code = '', message = '' } = error ?? {}
  const options = { cause: new Error(`${status} ${code} ${message}`) }
  // no answer at all
  if (status === 0) return unreachableDatabase(place, options)
  if (code === 'PGRST202' || (status === 404 && !isSqlState(code))) return databaseFailure(place, '42883', options)
  if (isSqlState(code)) return refusalOf(place, code, options)
  if (status === 429) return databaseFailure(place, '53400', options)
  if (status >= 500) return unreachableDatabase(place, options)
  if (status === 401 || status === 403) return refusalOf(place, '28000', options)
  return new LuminaError('io', `The catalog of ${place} failed: ${status} ${code} ${message}.`, options)
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}

/** Logins are another matter here than in a database of one's own. */
function refusalOf(place: string, code: string, options: { cause: Error }): LuminaError {
  const refused = databaseFailure(place, code, options)
  if (refused.code !== 'destination-refused') return refused
  return new LuminaError('destination-refused', refused.message, {
    ...options,
    hint: 'Log in with `lumina login supabase`, or set SUPABASE_KEY to the key of the service role.',
  })
}
