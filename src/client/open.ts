import { existsSync } from 'node:fs'
import { dirname } from 'node:path'

import { isWritable } from '../state/is-writable.ts'
import { dryCatalog } from './catalogs/dry.ts'
import { sqliteCatalog } from './catalogs/sqlite.ts'
import type { Catalog, Destination } from './destination.ts'
import { localDestination } from './drivers/local.ts'
import { bandwidthLayer } from './layers/bandwidth.ts'
import { dryLayer } from './layers/dry.ts'
import { retryLayer } from './layers/retry.ts'
import { openOwnCatalog, type OwnedCatalog, readOnlyCatalog } from './open/catalog.ts'
import { catalogPath, type LocalPlace } from './open/place.ts'
import type * as Remote from './open/remote.ts'
import type { RemotePlace } from './open/remote.ts'

export { type CatalogHealth, healCatalog, markFilled, type OwnedCatalog, putCatalogAside } from './open/catalog.ts'
export {
  catalogIdAt,
  clearTemps,
  holdPlace,
  isTempName,
  type LayerSettings,
  leavePlace,
  type LocalPlace,
  openDryPlace,
  openExisting,
  openPlace,
} from './open/place.ts'
export type { PostgresAccess, RemoteOptions, RemotePlace } from './open/remote.ts'
export { type LocalTarget, localTarget, parseTarget, type SupabaseTarget, type Target } from './open/target.ts'

/** An opened destination as plain data: every lane makes its own driver and catalog from it. */
export type Place = LocalPlace | RemotePlace

type Notice = (code: string, message: string) => void

interface Parts {
  destination: Destination
  catalog: Catalog
}

/** Services, and what they speak with, are loaded only by who uses one. */
const remote = async (): Promise<typeof Remote> => import('./open/remote.ts')

/** The driver in its layers, for the `lane`-th lane. */
export async function openDestination(place: Place, lane: number, notice?: Notice): Promise<Destination> {
  return place.kind === 'local'
    ? openLocalDestination(place, lane, notice)
    : (await remote()).openRemoteDestination(place)
}

function openLocalDestination(place: LocalPlace, lane: number, notice: Notice = () => undefined): Destination {
  const { target, volume, holder, layers, shared } = place
  let destination: Destination = localDestination({
    root: target.root,
    volume,
    holder,
    inFlight: shared.inFlightKiB,
    lane,
    notice,
  })
  if (layers.bytesPerSecond !== undefined) {
    destination = bandwidthLayer({ bytesPerSecond: layers.bytesPerSecond, bucket: shared.bandwidth })(destination)
  }
  return retryLayer({ retries: layers.retries, budget: shared.retryBudget })(destination)
}

/** A lane's own connection to what knows of stored contents. */
export async function openCatalog(place: Place, notice?: Notice): Promise<OwnedCatalog> {
  if (place.kind === 'remote') return (await remote()).openRemoteCatalog(place, notice)
  const { postgres, target, holder } = place
  return postgres ? (await remote()).openPostgres(postgres, target.url, holder) : openOwnCatalog(place)
}

/** Driver and catalog to look at what is stored, on a disk that may be mounted read-only. */
export async function openToRead(place: Place, lane: number): Promise<Parts> {
  const isOwn = place.kind === 'local' && !place.postgres
  return {
    destination: await openDestination(place, lane),
    catalog:
      isOwn && !isWritable(catalogPath(place)) ? readOnlyCatalog(place, place.indexFolder) : await openCatalog(place),
  }
}

/** Driver and catalog that say what would happen and change nothing, also where there is no library yet. */
export async function openDry(place: Place, lane: number): Promise<Parts> {
  const path = place.dryRunPath as string
  const overlay = sqliteCatalog({ path, id: place.catalogId, holder: place.holder })
  return {
    destination: dryLayer(await openDestination(place, lane)),
    catalog: dryCatalog(await baseOf(place, dirname(path)), overlay),
  }
}

/** What is known already, if anything is. */
async function baseOf(place: Place, indexFolder: string): Promise<Catalog | undefined> {
  if (place.kind === 'remote') return place.catalogId === 'none' ? undefined : openCatalog(place)
  if (place.postgres) return openCatalog(place)
  return existsSync(catalogPath(place)) ? readOnlyCatalog(place, indexFolder) : undefined
}

/** How often leases are renewed that last a minute, for catalogs that know of no other sign of life. */
const renewEveryMs = 20_000

/** Keeps what this run has claimed until it is stopped; lanes may be in the middle of a long read. */
export async function keepClaims(place: Place): Promise<{ stop: () => Promise<void> }> {
  const shownByLock = place.kind === 'local' && place.volume.local && !place.postgres
  if (shownByLock) return { stop: () => Promise.resolve() }
  const catalog = await openCatalog(place)
  // a renewal that fails costs at most a second copy, and the next one comes soon
  const timer = setInterval(() => void catalog.renew().catch(() => undefined), renewEveryMs)
  return {
    stop() {
      clearInterval(timer)
      return catalog.close()
    },
  }
}
