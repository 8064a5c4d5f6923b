import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { LuminaError } from '../../errors.ts'
import { postgresCatalog } from '../catalogs/postgres.ts'
import { segmentsCatalog, segmentsIdentity } from '../catalogs/segments.ts'
import { supabaseCatalog } from '../catalogs/supabase.ts'
import type { CallContext, Destination } from '../destination.ts'
import { supabaseDestination } from '../drivers/supabase.ts'
import type { Credentials } from '../http/credentials.ts'
import { bandwidthBucket } from '../layers/bandwidth.ts'
import { createLimit } from '../layers/limit.ts'
import { remoteLayers } from '../layers/remote.ts'
import { retryBudget } from '../layers/retry.ts'
import { supabaseCredentials } from '../supabase-session.ts'
import type { OwnedCatalog } from './catalog.ts'
import type { SupabaseTarget } from './target.ts'

/** A database that machines share as their catalog. */
export interface PostgresAccess {
  kind: 'postgres'
  /** Holds a password: it is handed to lanes, and never shown. */
  connection: string
  pool: { min: number; max: number }
}

/** Which catalog a remote destination has: a database of one's own, the project's functions, or nothing but the bucket. */
export type CatalogAccess = PostgresAccess | { kind: 'functions' } | { kind: 'segments'; indexPath: string }

/** How the layers around a service are set for one run. */
export interface RemoteSettings {
  retries: number
  bytesPerSecond?: number
  /** Transfers in flight at the start, over all lanes. */
  concurrency: number
  maxConcurrency: number
  stallTimeoutMs: number
  resumableOverBytes: number
}

/** A service as plain data: every lane makes its own driver and catalog from it. */
export interface RemotePlace {
  kind: 'remote'
  target: SupabaseTarget
  catalogId: string
  holder: string
  dryRunPath?: string
  catalog: CatalogAccess
  access: SupabaseAccess
  settings: RemoteSettings
  shared: { retryBudget: Int32Array; bandwidth: BigInt64Array; limit: Int32Array }
}

export interface SupabaseAccess {
  /** A secret: it is handed to lanes, and never shown. */
  key?: string
  configDir: string
  stateDir: string
}

export interface RemoteOptions {
  holder: string
  access: SupabaseAccess
  settings: RemoteSettings
  postgres?: PostgresAccess
  notice: Notice
}

type Notice = (code: string, message: string) => void

/** Where nothing waits for a run's end: looks before it begins. */
const alone: CallContext = { signal: new AbortController().signal, checkpoint: () => undefined }

/** Opens a service for a run, and finds out which catalog it has. `make`: where there is none, one is begun. */
export async function openRemote(
  target: SupabaseTarget,
  options: RemoteOptions,
  { make }: { make: boolean },
): Promise<RemotePlace> {
  const { holder, access, settings } = options
  const place: RemotePlace = {
    kind: 'remote',
    target,
    catalogId: '',
    holder,
    access,
    settings,
    catalog: { kind: 'functions' },
    shared: {
      retryBudget: retryBudget(),
      bandwidth: bandwidthBucket(),
      limit: createLimit(settings),
    },
  }
  const found = await findCatalog(place, options, make)
  return { ...place, ...found }
}

async function findCatalog(
  place: RemotePlace,
  { postgres, notice }: RemoteOptions,
  make: boolean,
): Promise<Pick<RemotePlace, 'catalog' | 'catalogId'>> {
  if (postgres) return { catalog: postgres, catalogId: await idOf({ ...place, catalog: postgres }) }
  try {
    return { catalog: { kind: 'functions' }, catalogId: await idOf(place) }
  } catch (error) {
    if (!(error instanceof LuminaError) || error.code !== 'destination-missing') throw error
  }
  const destination = openRemoteDestination(place)
  try {
    const identity = await segmentsIdentity({ destination, call: alone }, { make })
    if (!identity && make) throw new LuminaError('bug', 'A catalog was begun and is not there.')
    if (identity && !identity.readable)
      notice(
        'catalog-unread',
        'This login may not read what others have recorded: it knows only what this machine has stored.',
      )
    const catalogId = identity?.id ?? 'none'
    const folder = join(place.access.stateDir, 'indexes')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return { catalog: { kind: 'segments', indexPath: join(folder, `${catalogId}.db`) }, catalogId }
  } finally {
    await destination.close?.()
  }
}

async function idOf(place: RemotePlace): Promise<string> {
  const catalog = await openRemoteCatalog(place)
  try {
    return (await catalog.identity()).id
  } finally {
    await catalog.close()
  }
}

/** The driver in its layers. */
export function openRemoteDestination({ target, access, settings, shared }: RemotePlace): Destination {
  const driver = supabaseDestination({
    url: target.project,
    bucket: target.bucket,
    credentials: credentialsOf(target, access),
    resumableOverBytes: settings.resumableOverBytes,
    connections: settings.maxConcurrency,
  })
  return remoteLayers({ ...settings, ...shared })(driver)
}

export async function openRemoteCatalog(place: RemotePlace, notice?: Notice): Promise<OwnedCatalog> {
  const { catalog, target, holder, access, catalogId } = place
  switch (catalog.kind) {
    case 'postgres':
      return openPostgres(catalog, libraryOf(target), holder)
    case 'functions':
      return supabaseCatalog({
        url: target.project,
        credentials: credentialsOf(target, access),
        library: libraryOf(target),
        holder,
      })
    case 'segments':
      return segmentsCatalog({
        destination: openRemoteDestination(place),
        id: catalogId,
        indexPath: catalog.indexPath,
        holder,
        call: alone,
        ...(notice && { notice }),
      })
  }
}

/** A statement that takes longer waits for something that may never come. */
const statementTimeoutMs = 30_000

export function openPostgres(
  { connection, pool }: PostgresAccess,
  library: string,
  holder: string,
): Promise<OwnedCatalog> {
  return postgresCatalog({ connection, library, holder, pool, statementTimeoutMs })
}

/** Whole buckets share a catalog, so that a content is stored once under whatever prefix. */
function libraryOf({ project, bucket }: SupabaseTarget): string {
  return `supabase+${project}/${bucket}`
}

function credentialsOf({ project }: SupabaseTarget, { key, configDir }: SupabaseAccess): Credentials {
  return supabaseCredentials({ url: project, configDir, ...(key === undefined ? {} : { key }) })
}
