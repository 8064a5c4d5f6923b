import { LuminaError } from '../errors.ts'
import { secretFrom } from './secrets.ts'

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

/** An idle run holds none open; four are more than the lanes of a machine keep busy. */
const pool = { min: 0, max: 4 }
const mostConnections = 100

/** @throws `config` */
export function servicesFrom(env: NodeJS.ProcessEnv, catalogFlag: string | undefined): Services {
  const min = numberFrom(env, 'DB_POOL_MIN', pool.min)
  const max = numberFrom(env, 'DB_POOL_MAX', Math.max(pool.max, min))
  if (max < 1 || min > max)
    throw new LuminaError(
      'config',
      `DB_POOL_MIN ${min} and DB_POOL_MAX ${max} leave no number of connections between them`,
    )
  return {
    supabase: {
      url: env['SUPABASE_URL'] || undefined,
      key: secretFrom(env, 'SUPABASE_KEY') ?? secretFrom(env, 'SUPABASE_SERVICE_ROLE_KEY'),
    },
    catalog: catalogFlag ?? catalogFrom(env),
    dbPool: { min, max },
  }
}

function catalogFrom(env: NodeJS.ProcessEnv): string | undefined {
  const url = secretFrom(env, 'LUMINA_CATALOG')
  if (url !== undefined && !/^postgres(?:ql)?:\/\//i.test(url))
    throw new LuminaError('config', 'LUMINA_CATALOG is not the URL of a Postgres database', {
      hint: 'for example postgres://user:password@host:5432/database',
    })
  return url
}

function numberFrom(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name]
  if (!text) return otherwise
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (number <= mostConnections) return number
  throw new LuminaError('config', `${name}: it is no whole number from 0 to ${mostConnections}`)
}
