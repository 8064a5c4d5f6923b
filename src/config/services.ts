import { LuminaError } from '../errors.ts'
import { hideFromNowOn, secretFrom } from './secrets.ts'

/** What services are reached with. It holds secrets, so it stands in no file, no list and no message. */
export interface Services {
  readonly supabase: {
    /** The project: SUPABASE_URL. */
    readonly url: string | undefined
    /** A key that may store, of the service role for example: SUPABASE_KEY, or a file by SUPABASE_KEY_FILE. */
    readonly key: string | undefined
  }
  /** The Postgres database of a catalog that machines share. */
  readonly catalog: string | undefined
  /** How many connections to it this process has, over all lanes. */
  readonly dbPool: { readonly min: number; readonly max: number }
}

/**
 * An idle run holds none open: poolers and servers count them. Batches of a thousand keep fewer than four busy, and ten runners with four
 * each stay below half of what a server allows by default (100).
 */
const pool = { min: 0, max: 4 }
const mostConnections = 100

/**
 * What `env` says of services, each looked at when it is asked for: a run into a folder does not care what another program's
 * DB_POOL_MAX is. Asking @throws `config`, which never repeats a value.
 */
export function servicesFrom(env: NodeJS.ProcessEnv, catalogFlag: string | undefined): Services {
  return Object.freeze({
    get supabase() {
      return supabaseFrom(env)
    },
    get catalog() {
      return catalogFlag ?? catalogFrom(env)
    },
    get dbPool() {
      return poolFrom(env)
    },
  })
}

function supabaseFrom(env: NodeJS.ProcessEnv): Services['supabase'] {
  return {
    url: env['SUPABASE_URL'] || undefined,
    get key() {
      return keyFrom(env, 'SUPABASE_KEY') ?? keyFrom(env, 'SUPABASE_SERVICE_ROLE_KEY')
    },
  }
}

/** A key goes into a header, where a line end that came along with it would be another header. */
function keyFrom(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const key = secretFrom(env, name)?.trim()
  if (key === undefined || /^[!-~]+$/.test(key)) return key
  throw new LuminaError('config', `${name} holds something else than a key`, {
    hint: 'copy it again: a key is one word of letters, digits, dots, - and _',
  })
}

function catalogFrom(env: NodeJS.ProcessEnv): string | undefined {
  const text = secretFrom(env, 'LUMINA_CATALOG')
  if (text === undefined) return undefined
  const url = /^postgres(?:ql)?:\/\//i.test(text) ? URL.parse(text) : null
  // a password with an @ or a / that is not encoded is taken for host and path by some, and shown by them
  if (url === null || url.pathname.includes('@'))
    throw new LuminaError('config', 'LUMINA_CATALOG is not the URL of a Postgres database', {
      hint: 'for example postgres://user:password@host:5432/database, with what is special in the password as %40 (@), %2F (/), %23 (#) or %3A (:)',
    })
  for (const secret of [url.password, url.searchParams.get('password') ?? '']) {
    hideFromNowOn(secret)
    hideFromNowOn(decoded(secret))
  }
  return text
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function poolFrom(env: NodeJS.ProcessEnv): Services['dbPool'] {
  const min = numberFrom(env, 'DB_POOL_MIN', pool.min)
  const max = numberFrom(env, 'DB_POOL_MAX', Math.max(pool.max, min))
  if (max >= 1 && min <= max) return { min, max }
  throw new LuminaError(
    'config',
    `DB_POOL_MIN ${min} and DB_POOL_MAX ${max} leave no number of connections between them`,
  )
}

function numberFrom(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name]
  if (!text) return otherwise
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (number <= mostConnections) return number
  throw new LuminaError('config', `${name}: it is no whole number from 0 to ${mostConnections}`)
}
