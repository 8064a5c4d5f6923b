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
import { openCatalog, readOnlyCatalog } from './open/catalog.ts'
import { catalogPath, type Place } from './open/place.ts'

export {
  type CatalogHealth,
  healCatalog,
  keepClaims,
  markFilled,
  openCatalog,
  putCatalogAside,
} from './open/catalog.ts'
export {
  catalogIdAt,
  clearTemps,
  holdPlace,
  isTempName,
  type LayerSettings,
  leavePlace,
  openDryPlace,
  openExisting,
  openPlace,
  parseTarget,
  type Place,
  type Target,
} from './open/place.ts'

type Notice = (code: string, message: string) => void

/** The driver in its layers, for the `lane`-th lane. */
export function openDestination(place: Place, lane: number, notice: Notice = () => undefined): Destination {
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

/** Driver and catalog to look at what is stored, on a disk that may be mounted read-only. */
export function openToRead(place: Place, lane: number): { destination: Destination; catalog: Catalog } {
  return {
    destination: openDestination(place, lane),
    catalog: isWritable(catalogPath(place)) ? openCatalog(place) : readOnlyCatalog(place, place.indexFolder),
  }
}

/** Driver and catalog that say what would happen and change nothing, also where there is no library yet. */
export function openDry(place: Place, lane: number): { destination: Destination; catalog: Catalog } {
  const path = place.dryRunPath as string
  const overlay = sqliteCatalog({ path, id: place.catalogId, holder: place.holder })
  const base = existsSync(catalogPath(place)) ? readOnlyCatalog(place, dirname(path)) : undefined
  return { destination: dryLayer(openDestination(place, lane)), catalog: dryCatalog(base, overlay) }
}
