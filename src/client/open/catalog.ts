import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { isLocked } from '../../state/lock.ts'
import { isDamage } from '../../state/sqlite.ts'
import { logCatalog } from '../catalogs/log.ts'
import { type SqliteCatalog, sqliteCatalog } from '../catalogs/sqlite.ts'
import type { Catalog } from '../destination.ts'
import { setCatalogAside, systemPath } from '../drivers/local/library.ts'
import { catalogPath, holderLock, type LocalPlace } from './place.ts'

/** A catalog that is not whole any more, or not there any more, although its library is; or whose making anew was cut short. */
export type CatalogHealth = 'whole' | 'damaged' | 'missing' | 'unfilled'

/** A connection to the library's own catalog. @throws an SQLite error that `isDamage` knows, when the file is damaged. */
export function openOwnCatalog(place: LocalPlace): OwnedCatalog {
  return place.volume.local ? openDatabase(place) : openLog(place, place.indexFolder)
}

/** A catalog whose holder may come back for what it had claimed. */
export interface OwnedCatalog extends Catalog {
  releaseOwn(): void | Promise<void>
}

function openDatabase(place: LocalPlace): SqliteCatalog {
  return sqliteCatalog({
    path: catalogPath(place),
    id: place.catalogId,
    holder: place.holder,
    holderAlive: (holder) => isLocked(holderLock(place.target, holder)),
  })
}

function openLog(place: LocalPlace, indexFolder: string): OwnedCatalog {
  mkdirSync(indexFolder, { recursive: true, mode: 0o700 })
  return logCatalog({
    path: catalogPath(place),
    indexPath: join(indexFolder, `${place.catalogId}.db`),
    id: place.catalogId,
    holder: place.holder,
  })
}

/** Stands beside a catalog that is being made anew: without it, one that a kill left half filled would pass for whole. */
function unfilledMark({ target }: LocalPlace): string {
  return systemPath(target.root, 'catalog.unfilled')
}

/** Says that the catalog has everything that is stored. */
export function markFilled(place: LocalPlace): void {
  rmSync(unfilledMark(place), { force: true })
}

/**
 * The catalog as it is found at the start of a run. What is damaged is put aside; an empty one in a new epoch takes its place, to be
 * filled from the objects themselves before anybody relies on it.
 */
export async function healCatalog(place: LocalPlace): Promise<{ health: CatalogHealth; setAside?: string }> {
  const path = catalogPath(place)
  // SQLite takes an empty file for a new database, and forgets everything
  if (!existsSync(path) || statSync(path).size === 0) {
    if (!place.created) await beginAnew(place)
    return { health: place.created ? 'whole' : 'missing' }
  }
  try {
    const catalog = openOwnCatalog(place)
    try {
      await catalog.releaseOwn()
    } finally {
      await catalog.close()
    }
    return { health: existsSync(unfilledMark(place)) ? 'unfilled' : 'whole' }
  } catch (error) {
    if (!isDamage(error)) throw error
    const setAside = setCatalogAside(path)
    await beginAnew(place)
    return { health: 'damaged', setAside }
  }
}

/** Puts a catalog out of the way whose damage showed itself in the middle of a run: the next run makes it again. */
export function putCatalogAside(place: LocalPlace): string {
  return setCatalogAside(catalogPath(place))
}

async function beginAnew(place: LocalPlace): Promise<void> {
  writeFileSync(unfilledMark(place), '')
  if (place.volume.local) await startEpoch(place)
}

/** An epoch that no earlier catalog of this library can have had: databases count from 1, and logs begin with the time. */
async function startEpoch(place: LocalPlace): Promise<void> {
  const catalog = openDatabase(place)
  catalog.startEpoch(Date.now())
  await catalog.close()
}

/** A catalog to be asked, and not to be left a trace in; `indexFolder` is for the index of a log. */
export function readOnlyCatalog(place: LocalPlace, indexFolder: string): Catalog {
  if (!place.volume.local) return openLog(place, indexFolder)
  return sqliteCatalog({
    path: readOnlyPath(catalogPath(place)),
    id: place.catalogId,
    holder: place.holder,
    readOnly: true,
  })
}

/**
 * A catalog that nobody writes to is opened as one that cannot change: else SQLite makes files beside it, which leaves traces, and
 * fails where the disk is read-only. https://sqlite.org/wal.html#read_only_databases
 */
function readOnlyPath(path: string): string {
  return existsSync(`${path}-wal`) ? path : `${pathToFileURL(path).href}?immutable=1`
}
