import type { Pool } from 'pg'

import { LuminaError } from '../../errors.ts'
import { type FunctionsCatalog, functionsCatalog, persistently } from './functions.ts'
import { databaseFailure, unreachableDatabase } from './sql/failure.ts'
import { schema, version } from './sql/schema.ts'

export interface PostgresCatalogOptions {
  /** A URL that may hold a password. It is never part of a message. */
  connection: string
  library: string
  holder: string
  pool: { min: number; max: number; idleMs?: number }
  statementTimeoutMs: number
}

const idleMs = 10_000
const connectTimeoutMs = 10_000

/**
 * The shared catalog in a Postgres database, directly or behind a pooler that gives each transaction another session: no statement
 * has a name, and none relies on one before. Sets the database up where that was not done yet.
 * @throws LuminaError `config`, `destination-unreachable`, `destination-refused`, `destination-missing`
 */
export async function postgresCatalog(options: PostgresCatalogOptions): Promise<FunctionsCatalog> {
  const { library, holder } = options
  const database = await connect(options)
  const close = (): Promise<void> => database.pool.end()
  try {
    const catalog = functionsCatalog((name, args) => call(database, name, args), { library, holder, close })
    await persistently(() => prepare(database))
    return catalog
  } catch (error) {
    await close()
    throw error
  }
}

/** Sets up, or brings up to date, the catalog of a database. @throws LuminaError */
export async function migrate(connection: string, sql: string): Promise<void> {
  const database = await connect({ connection, pool: { min: 0, max: 1 }, statementTimeoutMs: 120_000 })
  try {
    await persistently(() => apply(database, sql))
  } finally {
    await database.pool.end()
  }
}

interface Database {
  pool: Pool
  /** Its host and name, for messages. */
  place: string
}

async function connect({
  connection,
  pool,
  statementTimeoutMs,
}: Pick<PostgresCatalogOptions, 'connection' | 'pool' | 'statementTimeoutMs'>): Promise<Database> {
  const place = placeOf(connection)
  const { default: pg } = await import('pg')
  const opened = new pg.Pool({
    connectionString: connection,
    min: pool.min,
    max: pool.max,
    idleTimeoutMillis: pool.idleMs ?? idleMs,
    connectionTimeoutMillis: connectTimeoutMs,
    // kept on this side: poolers refuse a session that begins with settings
    query_timeout: statementTimeoutMs,
    allowExitOnIdle: true,
    keepAlive: true,
  })
  // a connection that is lost while nobody uses it is made anew when somebody does
  opened.on('error', () => undefined)
  return { pool: opened, place }
}

/** @throws `config`, without the text, which may hold a password */
function placeOf(connection: string): string {
  if (URL.canParse(connection)) {
    const { hostname, port, pathname, searchParams } = new URL(connection)
    const host = hostname || searchParams.get('host') || 'localhost'
    return `the database ${host}${port && `:${port}`}${pathname}`
  }
  throw new LuminaError('config', 'LUMINA_CATALOG is not the URL of a Postgres database', {
    hint: 'for example postgres://user:password@host:5432/database',
  })
}

async function call(
  { pool, place }: Database,
  name: string,
  args: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const named = Object.keys(args).map((argument, at) => `${argument} => $${at + 1}`)
  const values = Object.values(args).map((value) =>
    typeof value === 'object' && value !== null ? JSON.stringify(value) : value,
  )
  try {
    const text = `select lumina.${name}(${named.join(', ')}) as answer`
    return (await pool.query<{ answer: unknown }>({ text, values })).rows[0]?.answer
  } catch (error) {
    throw failure(place, error)
  }
}

async function prepare(database: Database): Promise<void> {
  const found = await versionOf(database)
  if (found === undefined || found < version) return apply(database, schema)
  if (found === version) return
  throw new LuminaError('state-newer', `A newer Lumina has set up the catalog of ${database.place}.`, {
    hint: 'Update Lumina on this machine.',
  })
}

async function versionOf(database: Database): Promise<number | undefined> {
  try {
    return Number(await call(database, 'version', {}))
  } catch (error) {
    if (error instanceof LuminaError && error.code === 'destination-missing' && !isNoDatabase(error)) return undefined
    throw error
  }
}

function isNoDatabase({ cause }: LuminaError): boolean {
  return sqlState(cause) === '3D000'
}

/** Several statements in one message are one transaction, in one session, behind whatever pooler. */
async function apply({ pool, place }: Database, sql: string): Promise<void> {
  try {
    await pool.query(`select pg_advisory_xact_lock(704100001);\n${sql}`)
  } catch (error) {
    if (sqlState(error) !== '42501') throw failure(place, error)
    throw new LuminaError('destination-missing', `${place} has no catalog of Lumina, and this user may not make one.`, {
      cause: error,
      hint: 'Let its owner run once: lumina init supabase --apply',
    })
  }
}

function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined
}

function failure(place: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const state = sqlState(error)
  if (state !== undefined) return databaseFailure(place, state, { cause: error })
  const options = { cause: new Error(error.message) }
  if (/\bSASL\b|password/i.test(error.message)) return databaseFailure(place, '28P01', options)
  return unreachableDatabase(place, options)
}
