import { dirname, join } from 'node:path'

import {
  type LayerSettings,
  openDryPlace,
  openExisting,
  type Place,
  type PostgresAccess,
  type RemotePlace,
  type SupabaseTarget,
  type Target,
} from '../client/open.ts'
import type { Config } from '../config.ts'
import { LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'
import type { PacedReporter } from '../report/ndjson.ts'
import { usualLanes } from './session.ts'

/** Transfers in flight at the start of a run to a service: what a home line bears; the rest is found out. */
const firstConcurrency = 4

/** What a target's name leaves to the settings. */
export function surroundingsOf(config: Config, io: Io): { cwd: string; supabaseUrl: string | undefined } {
  return { cwd: io.cwd, supabaseUrl: config.services.supabase.url }
}

/** How a library is opened. */
export function libraryOptions(
  config: Config,
  holder: string,
): { holder: string; layers: LayerSettings; stateDir: string; postgres?: PostgresAccess } {
  const { retries, bwlimit, state } = config
  const postgres = postgresOf(config)
  return {
    holder,
    layers: { retries, ...(bwlimit === undefined ? {} : { bytesPerSecond: bwlimit }) },
    stateDir: state,
    ...(postgres && { postgres }),
  }
}

/** A share of the connections for each lane, and one for the main thread, which renews what the lanes have claimed. */
function postgresOf({ services }: Config): PostgresAccess | undefined {
  const { catalog: connection } = services
  if (connection === undefined) return undefined
  const { min, max } = services.dbPool
  const sharers = usualLanes() + 1
  const share = { min: Math.floor(min / sharers), max: Math.max(1, Math.floor(max / sharers)) }
  return { kind: 'postgres', connection, pool: share }
}

/** Opens a service with the settings of this run. `make`: a catalog is begun where there is none. */
export async function openService(
  target: SupabaseTarget,
  config: Config,
  holder: string,
  reporter: PacedReporter,
  how: { make: boolean },
): Promise<RemotePlace> {
  const { openRemote } = await import('../client/open/remote.ts')
  const postgres = postgresOf(config)
  const { key } = config.services.supabase
  return openRemote(
    target,
    {
      holder,
      access: {
        configDir: dirname(config.userFile),
        stateDir: config.state,
        ...(key === undefined ? {} : { key }),
      },
      settings: {
        retries: config.retries,
        concurrency: config.concurrency ?? firstConcurrency,
        maxConcurrency: config.maxConcurrency,
        stallTimeoutMs: config.stallTimeout,
        resumableOverBytes: config.resumableOver,
        ...(config.bwlimit === undefined ? {} : { bytesPerSecond: config.bwlimit }),
      },
      ...(postgres && { postgres }),
      notice: (code, message) => reporter.event({ event: 'notice', code, message }),
    },
    how,
  )
}

/** A destination for a run that changes nothing: `config.state` is a folder that goes with it. */
export async function openDryRun(
  target: Target,
  config: Config,
  holder: string,
  reporter: PacedReporter,
): Promise<Place> {
  const dryRunPath = join(config.state, 'overlay.db')
  if (target.kind === 'local') return openDryPlace(target, libraryOptions(config, holder), dryRunPath)
  return { ...(await openService(target, config, holder, reporter, { make: false })), dryRunPath }
}

/** What is stored at `target`, to be looked at. @throws `destination-missing` */
export async function openStored(
  target: Target,
  config: Config,
  holder: string,
  reporter: PacedReporter,
): Promise<Place> {
  if (target.kind === 'local') return openExisting(target, libraryOptions(config, holder))
  const place = await openService(target, config, holder, reporter, { make: false })
  if (place.catalogId === 'none')
    throw new LuminaError(
      'destination-missing',
      `Nothing was uploaded to ${target.shown} yet, or it may not be read.`,
      {
        hint: 'What lies there already is taken into a catalog by: lumina index <destination>',
      },
    )
  return place
}
