import { existsSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { LuminaError, systemCode } from '../../errors.ts'
import { tryLock, type Lock } from '../../state/lock.ts'
import { Volumes, type Volume } from '../../state/volume.ts'
import { libraryId, openLibrary, systemPath } from '../drivers/local/library.ts'
import { bandwidthBucket } from '../layers/bandwidth.ts'
import { retryBudget } from '../layers/retry.ts'

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
  /** Where this machine keeps its index of a catalog that is a log. */
  indexFolder: string
  layers: LayerSettings
  /** Memory that the lanes' drivers and layers share. */
  shared: { inFlightKiB: Int32Array; retryBudget: Int32Array; bandwidth: BigInt64Array }
}

/** What opening a destination takes besides its name. */
export interface PlaceOptions {
  /** Names the run: see `openLibrary`. */
  holder: string
  layers: LayerSettings
  stateDir: string
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
    throw new LuminaError('usage', `${text} is not the URL of a folder.`, {
      cause: error,
      hint: 'Write file:///path/to/library or just the path.',
    })
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

/** Opens `target` for a run, and makes it where there is none. */
export function openPlace(target: Target, { holder, layers, stateDir }: PlaceOptions): Place {
  if (existsSync(target.root) && !statSync(target.root).isDirectory()) {
    throw new LuminaError('usage', `${target.root} is a file, not a folder.`, { hint: 'Name a folder as the library.' })
  }
  const library = openLibrary(target.root, holder)
  return placeOf({ ...target, root: realpathSync(target.root) }, library.id, library.created, {
    holder,
    layers,
    stateDir,
  })
}

/** `target` for a run that changes nothing: it need not exist. */
export function openDryPlace(target: Target, options: PlaceOptions, dryRunPath: string): Place {
  const id = catalogIdAt(target)
  return { ...placeOf(target, id ?? 'none', id === undefined, options), dryRunPath }
}

/** What is stored at `target`, to be looked at. @throws `destination-missing` */
export function openExisting(target: Target, options: PlaceOptions): Place {
  const id = catalogIdAt(target)
  const place = placeOf(target, id ?? 'none', false, options)
  if (id === undefined || !existsSync(catalogPath(place))) {
    throw new LuminaError(
      'destination-missing',
      id === undefined
        ? `There is no library at ${target.root}.`
        : `The library at ${target.root} has lost its catalog.`,
      {
        hint:
          id === undefined
            ? 'Is its disk mounted?'
            : `Make it again from the stored files: lumina index ${target.root}`,
      },
    )
  }
  return place
}

function placeOf(
  target: Target,
  catalogId: string,
  created: boolean,
  { holder, layers, stateDir }: PlaceOptions,
): Place {
  return {
    target,
    volume: new Volumes().at(target.root),
    catalogId,
    created,
    indexFolder: join(stateDir, 'indexes'),
    holder,
    layers,
    shared: {
      inFlightKiB: new Int32Array(new SharedArrayBuffer(4)),
      retryBudget: retryBudget(),
      bandwidth: bandwidthBucket(),
    },
  }
}

/** Where the catalog lies: a database on a disk of this machine, a log where SQLite's own locks and shared memory can't be trusted. */
export function catalogPath({ target, volume }: Place): string {
  return systemPath(target.root, volume.local ? 'catalog.db' : 'catalog.ndjson')
}

export function holderLock(target: Target, holder: string): string {
  return systemPath(target.root, 'tmp', basename(holder), 'lock')
}

/** Shows other processes that this run lives, for as long as it does; they may otherwise take what it has claimed. */
export function holdPlace(place: Place): Lock {
  // on a network, locks are not to be trusted: there the lease of what it has claimed shows the same, a minute later
  if (!place.volume.local) return { release: () => undefined }
  const lock = tryLock(holderLock(place.target, place.holder))
  if (!lock)
    throw new LuminaError('lock-held', `Another run of the same command fills ${place.target.root}.`, {
      hint: 'Wait for it with --wait.',
    })
  return lock
}

/** Whether a temporary file may be Lumina's: only such are ever removed, since a library may come from anywhere. */
export function isTempName(name: string): boolean {
  return /^\d+-(?:[0-9a-f]{8}-)?\d+$/.test(name)
}

/** What the last run of this holder left half: all of it but the transfers that can be resumed. */
export function clearTemps(place: Place, resumable: ReadonlySet<string>): void {
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  for (const name of readdirSync(folder)) {
    if (isTempName(name) && !resumable.has(name)) rmSync(join(folder, name), { force: true })
  }
}

const stays: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY', 'EPERM'])

/** Leaves nothing of a run behind but what can be resumed. */
export function leavePlace(place: Place, lock: Lock): void {
  lock.release()
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  try {
    rmdirSync(folder)
  } catch (error) {
    // what can be resumed keeps it, or somebody who looks whether its lock is held
    if (!stays.has(systemCode(error) ?? '')) throw error
  }
}
