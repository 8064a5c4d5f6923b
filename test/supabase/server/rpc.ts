import { type Answer, type Call, jsonBody, ok } from './call.ts'
import type { Claims } from './tokens.ts'

/** Runs a database function by name. A thrown error may carry PostgreSQL's `code`, `detail` and `hint`. */
export type Rpc = (fn: string, args: Record<string, unknown>, claims: Claims) => Promise<unknown>

/** POST /rest/v1/rpc/fn, as PostgREST answers it. */
export async function callFunction(rpc: Rpc | undefined, fn: string, call: Call): Promise<Answer> {
  const args = await jsonBody(call)
  if (!rpc) return notFound(fn)
  try {
    const result = await rpc(fn, args, call.claims)
    return result === undefined ? { status: 204 } : ok(result)
  } catch (error) {
    return failed(error, call.claims)
  }
}

/** A token that PostgREST does not take. */
export function unauthorized(message: string): Answer {
  const expired = message.includes('"exp" claim')
  return {
    status: 401,
    body: expired
      ? { code: 'PGRST303', message: 'JWT expired', details: null, hint: null }
      : { code: 'PGRST301', message: 'No suitable key or wrong key type', details: null, hint: null },
  }
}

const notFound = (fn: string): Answer => ({
  status: 404,
  body: {
    code: 'PGRST202',
    message: `Could not find the function public.${fn} in the schema cache`,
    details: `Searched for the function public.${fn}, but no matches were found in the schema cache.`,
    hint: null,
  },
})

function failed(error: unknown, claims: Claims): Answer {
  const { code, message, detail, details, hint } = error as Record<string, string | undefined>
  const known = code ?? 'XX000'
  return {
    status: statusOf(known, claims),
    body: { code: known, message: message ?? String(error), details: details ?? detail ?? null, hint: hint ?? null },
  }
}

/** https://docs.postgrest.org/en/stable/references/errors.html */
function statusOf(code: string, claims: Claims): number {
  if (code === '42501') return claims.role === 'anon' ? 401 : 403
  if (code === '42883' || code === '42P01' || code === 'PGRST202') return 404
  if (code === '23503' || code === '23505') return 409
  if (code === '25006') return 405
  const byClass: Record<string, number> = {
    '08': 503,
    '09': 500,
    '0L': 403,
    '0P': 403,
    '25': 500,
    '28': 403,
    '2D': 500,
    '38': 500,
    '39': 500,
    '3B': 500,
    '40': 500,
    '53': 503,
    '54': 500,
    '55': 500,
    '57': 500,
    '58': 500,
    F0: 500,
    HV: 500,
    XX: 500,
  }
  return byClass[code.slice(0, 2)] ?? 400
}
