import { existsSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { LuminaError, systemCode } from '../../errors.ts'
import { tryLock, type Lock } from '../../state/lock.ts'
import { Volumes, type Volume } from '../../state/volume.ts'
import { libraryId, openLibrary, systemPath } from '../drivers/local/library.ts'
import { bandwidthBucket } from '../layers/bandwidth.ts'
import { retryBudget } from '../layers/retry.ts'
import type { PostgresAccess } from './remote.ts'
import type { LocalTarget } from './target.ts'

/** How its layers are set for one run. */
export interface LayerSettings {
  retries: number
  bytesPerSecond?: number
}

/** An opened library as plain data: every lane makes its own driver and catalog from it. */
export interface LocalPlace {
  kind: 'local'
  target: LocalTarget
  volume: Volume
  catalogId: string
  /** There was nothing before. */
  created: boolean
  holder: string
  /** `--dry-run`: where its lanes share what they would have recorded. */
  dryRunPath?: string
  /** Where this machine keeps its index of a catalog that is a log. */
  indexFolder: string
  /** Instead of the library's own catalog. */
  postgres?: PostgresAccess
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
  postgres?: PostgresAccess
}

/** The id of what is stored at `target`, or undefined where nothing is. */
export function catalogIdAt(target: LocalTarget): string | undefined {
  return libraryId(target.root)
}

/** Opens `target` for a run, and makes it where there is none. */
export function openPlace(target: LocalTarget, options: PlaceOptions): LocalPlace {
  if (existsSync(target.root) && !statSync(target.root).isDirectory()) {
    throw new LuminaError('usage', `${target.root} is a file, not a folder.`, { hint: 'Name a folder as the library.' })
  }
  const library = openLibrary(target.root, options.holder)
  return placeOf({ ...target, root: realpathSync(target.root) }, library.id, library.created, options)
}

/** `target` for a run that changes nothing: it need not exist. */
export function openDryPlace(target: LocalTarget, options: PlaceOptions, dryRunPath: string): LocalPlace {
  const id = catalogIdAt(target)
  return { ...placeOf(target, id ?? 'none', id === undefined, options), dryRunPath }
}

/** What is stored at `target`, to be looked at. @throws `destination-missing` */
export function openExisting(target: LocalTarget, options: PlaceOptions): LocalPlace {
  const id = catalogIdAt(target)
  const place = placeOf(target, id ?? 'none', false, options)
  if (id === undefined || (!place.postgres && !existsSync(catalogPath(place)))) {
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
  target: LocalTarget,
  catalogId: string,
  created: boolean,
  { holder, layers, stateDir, postgres }: PlaceOptions,
): LocalPlace {
  return {
    kind: 'local',
    target,
    volume: new Volumes().at(target.root),
    catalogId,
    created,
    indexFolder: join(stateDir, 'indexes'),
    holder,
    layers,
    ...(postgres && { postgres }),
    shared: {
      inFlightKiB: new Int32Array(new SharedArrayBuffer(4)),
      retryBudget: retryBudget(),
      bandwidth: bandwidthBucket(),
    },
  }
}

/** Where the catalog lies: a database on a disk of this machine, a log where SQLite's own locks and shared memory can't be trusted. */
export function catalogPath({ target, volume }: LocalPlace): string {
  return systemPath(target.root, volume.local ? 'catalog.db' : 'catalog.ndjson')
}

export function holderLock(target: LocalTarget, holder: string): string {
  return systemPath(target.root, 'tmp', basename(holder), 'lock')
}

/** Shows other processes that this run lives, for as long as it does; they may otherwise take what it has claimed. */
export function holdPlace(place: LocalPlace): Lock {
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
export function clearTemps(place: LocalPlace, resumable: ReadonlySet<string>): void {
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  for (const name of readdirSync(folder)) {
    if (isTempName(name) && !resumable.has(name)) rmSync(join(folder, name), { force: true })
  }
}

const stays: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY', 'EPERM'])

/** Leaves nothing of a run behind but what can be resumed. */
export function leavePlace(place: LocalPlace, lock: Lock): void {
  lock.release()
  const folder = systemPath(place.target.root, 'tmp', place.holder)
  try {
    rmdirSync(folder)
  } catch (error) {
    // what can be resumed keeps it, or somebody who looks whether its lock is held
    if (!stays.has(systemCode(error) ?? '')) throw error
  }
}
