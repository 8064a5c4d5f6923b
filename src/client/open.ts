import { accessSync, constants, existsSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { LuminaError } from '../errors.ts'
import { isLocked, tryLock, type Lock } from '../state/lock.ts'
import { isDamage } from '../state/sqlite.ts'
import { Volumes, type Volume } from '../state/volume.ts'
import { dryCatalog } from './catalogs/dry.ts'
import { type SqliteCatalog, sqliteCatalog } from './catalogs/sqlite.ts'
import type { Catalog, Destination } from './destination.ts'
import { localDestination } from './drivers/local.ts'
import { libraryId, openLibrary, setCatalogAside, systemPath } from './drivers/local/library.ts'
import { bandwidthBucket, bandwidthLayer } from './layers/bandwidth.ts'
import { dryLayer } from './layers/dry.ts'
import { retryBudget, retryLayer } from './layers/retry.ts'

/** A destination as the person named it, understood but not touched yet. */
export interface Target {
  /** Canonical: what the ledger, locks and messages call it. Never holds a secret. */
  url: string
  root: string
}

/** How its layers are set for one run. */
export interface LayerSettings {
  retries: number
  bytesPerSecond?: number
}

/** An opened destination as plain data: every lane makes its own driver and catalog from it. */
export interface Place {
  target: Target
  volume: Volume
  catalogId: string
  /** There was nothing before. */
  created: boolean
  holder: string
  /** `--dry-run`: where its lanes share what they would have recorded. */
  dryRunPath?: string
  layers: LayerSettings
  /** Memory that the lanes' drivers and layers share. */
  shared: { inFlightKiB: Int32Array; retryBudget: Int32Array; bandwidth: BigInt64Array }
}

/** @throws `usage` for what is no destination, or none that this version knows. */
export function parseTarget(text: string, cwd: string): Target {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'file') {
    throw new LuminaError('usage', `This Lumina has no destination of the kind ${scheme}://.`, {
      hint: 'Name a folder, for example --to ./library.',
    })
  }
  const path = scheme === 'file' ? fromFileUrl(text) : resolve(cwd, text.replace(/^~(?=$|[/\\])/, homedir()))
  const root = canonical(path)
  return { url: pathToFileURL(root).href, root }
}

function fromFileUrl(text: string): string {
  try {
    return fileURLToPath(text)
  } catch (error) {
    throw new LuminaError('usage', `${text} is not the URL of a folder.`, { cause: error, hint: 'Write file:///path/to/library or just the path.' })
  }
}

/** Without symbolic links, as far as it exists. */
function canonical(path: string): string {
  const missing: string[] = []
  let at = path
  while (!existsSync(at) && at !== dirname(at)) {
    missing.unshift(basename(at))
    at = dirname(at)
  }
  return join(realpathSync(at), ...missing)
}

/** The id of what is stored at `target`, or undefined where nothing is. */
export function catalogIdAt(target: Target): string | undefined {
  return libraryId(target.root)
}

/** Whether a folder is there that holds something, but no library. */
export function holdsOther(target: Target): boolean {
  return catalogIdAt(target) === undefined && existsSync(target.root) && readdirSync(target.root).length > 0
}

/** Opens `target` for a run, and makes it where there is none. `holder` names the run: see `openLibrary`. */
export function openPlace(target: Target, holder: string, layers: LayerSettings): Place {
  if (existsSync(target.root) && !statSync(target.root).isDirectory()) {
    throw new LuminaError('usage', `${target.root} is a file, not a folder.`, { hint: 'Name a folder as the library.' })
  }
  const library = openLibrary(target.root, holder)
  return placeOf({ ...target, root: realpathSync(target.root) }, library.id, holder, layers, library.created)
}

/** `target` for a run that changes nothing: it need not exist. */
export function openDryPlace(target: Target, holder: string, layers: LayerSettings, dryRunPath: string): Place {
  const id = catalogIdAt(target)
  return { ...placeOf(target, id ?? 'none', holder, layers, id === undefined), dryRunPath }
}

/** What is stored at `target`, to be looked at. @throws `destination-missing` */
export function openExisting(target: Target, holder: string, layers: LayerSettings): Place {
  const id = catalogIdAt(target)
  if (id === undefined || !existsSync(systemPath(target.root, 'catalog.db'))) {
    throw new LuminaError('destination-missing', id === undefined ? `There is no library at ${target.root}.` : `The library at ${target.root} has lost its catalog.`, {
      hint: id === undefined ? 'Is its disk mounted?' : `Make it again from the stored files: lumina index ${target.root}`,
    })
  }
  return placeOf(target, id, holder, layers, false)
}

function placeOf(target: Target, catalogId: string, holder: string, layers: LayerSettings, created: boolean): Place {
  return {
    target,
    volume: new Volumes().at(target.root),
    catalogId,
    created,
    holder,
    layers,
    shared: {
      inFlightKiB: new Int32Array(new SharedArrayBuffer(4)),
      retryBudget: retryBudget(),
      bandwidth: bandwidthBucket(),
    },
  }
}

type Notice = (code: string, message: string) => void

/** The driver in its layers, for the `lane`-th lane. */
export function openDestination(place: Place, lane: number, notice: Notice = () => undefined): Destination {
  const { target, volume, holder, layers, shared } = place
  let destination: Destination = localDestination({ root: target.root, volume, holder, inFlight: shared.inFlightKiB, lane, notice })
  if (layers.bytesPerSecond !== undefined) {
    destination = bandwidthLayer({ bytesPerSecond: layers.bytesPerSecond, bucket: shared.bandwidth })(destination)
  }
  return retryLayer({ retries: layers.retries, budget: shared.retryBudget })(destination)
}

/** Driver and catalog to look at what is stored, on a disk that may be mounted read-only. */
export function openToRead(place: Place, lane: number): { destination: Destination; catalog: Catalog } {
  return { destination: openDestination(place, lane), catalog: isWritable(catalogPath(place)) ? openCatalog(place) : readOnlyCatalog(place) }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Driver and catalog that say what would happen and change nothing, also where there is no library yet. */
export function openDry(place: Place, lane: number): { destination: Destination; catalog: Catalog } {
  const overlay = sqliteCatalog({ path: place.dryRunPath as string, id: place.catalogId, holder: place.holder })
  const base = existsSync(catalogPath(place)) ? readOnlyCatalog(place) : undefined
  return { destination: dryLayer(openDestination(place, lane)), catalog: dryCatalog(base, overlay) }
}

function readOnlyCatalog(place: Place): Catalog {
  return sqliteCatalog({ path: readOnlyPath(catalogPath(place)), id: place.catalogId, holder: place.holder, readOnly: true })
}

/**
 * A catalog that nobody writes to is opened as one that cannot change: else SQLite makes files beside it, which leaves traces, and
 * fails where the disk is read-only. https://sqlite.org/wal.html#read_only_databases
 */
function readOnlyPath(path: string): string {
  return existsSync(`${path}-wal`) ? path : `${pathToFileURL(path).href}?immutable=1`
}

/** A catalog that is not whole any more, or not there any more, although its library is. */
export type CatalogHealth = 'whole' | 'damaged' | 'missing'

/** A lane's own connection. @throws an SQLite error that `isDamage` knows, when the file is damaged. */
export function openCatalog(place: Place): SqliteCatalog {
  return sqliteCatalog({
    path: catalogPath(place),
    id: place.catalogId,
    holder: place.holder,
    holderAlive: (holder) => isLocked(holderLock(place.target, holder)),
  })
}

/**
 * The catalog as it is found at the start of a run. What is damaged is put aside; an empty one in a new epoch takes its place, to be
 * filled from the objects themselves before anybody relies on it.
 */
export function healCatalog(place: Place): { health: CatalogHealth; setAside?: string } {
  const path = catalogPath(place)
  // SQLite takes an empty file for a new database, and forgets everything
  if (!existsSync(path) || statSync(path).size === 0) {
    if (!place.created) startEpoch(place)
    return { health: place.created ? 'whole' : 'missing' }
  }
  try {
    const catalog = openCatalog(place)
    catalog.releaseOwn()
    void catalog.close()
    return { health: 'whole' }
  } catch (error) {
    if (!isDamage(error)) throw error
    const setAside = setCatalogAside(path)
    startEpoch(place)
    return { health: 'damaged', setAside }
  }
}

/** Puts a catalog out of the way whose damage showed itself in the middle of a run: the next run makes it again. */
export function putCatalogAside(place: Place): string {
  return setCatalogAside(catalogPath(place))
}

/** An epoch that no earlier catalog of this library can have had: they count from 1. */
function startEpoch(place: Place): void {
  const catalog = openCatalog(place)
  catalog.startEpoch(Date.now())
  void catalog.close()
}

function catalogPath(place: Place): string {
  return systemPath(place.target.root, 'catalog.db')
}

function holderLock(target: Target, holder: string): string {
  return systemPath(target.root, 'tmp', basename(holder), 'lock')
}

/** Shows other processes that this run lives, for as long as it does; they may otherwise take what it has claimed. */
export function holdPlace(place: Place): Lock {
  const lock = tryLock(holderLock(place.target, place.holder))
  if (!lock) throw new LuminaError('lock-held', `Another run of the same command fills ${place.target.root}.`, { hint: 'Wait for it with --wait.' })
  return lock
}

/** What the last run of this holder left half: all of it but the transfers that can be resumed. */
export function clearTemps(place: Place, resumable: ReadonlySet<string>): void {
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  for (const name of readdirSync(folder)) {
    if (name !== 'lock' && !resumable.has(name)) rmSync(join(folder, name), { force: true, recursive: true })
  }
}


/** Leaves nothing of a run behind but what can be resumed. */
export function leavePlace(place: Place, lock: Lock): void {
  lock.release()
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder)
}
