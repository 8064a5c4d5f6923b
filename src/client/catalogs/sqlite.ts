import { LuminaError } from '../../errors.ts'
import { isDamage, isOutOfRoom, isReadOnly, Sqlite } from '../../state/sqlite.ts'
import type { Catalog } from '../destination.ts'
import { CatalogRows, type Change, type Claimant, leaseMs, migrations } from './rows.ts'

export interface SqliteCatalogOptions extends Claimant {
  /** A file, or `:memory:`. */
  path: string
  /** What this catalog is, for ever. */
  id: string
  /** Who claims. One holder is one run: what it left behind when it died is freed when it comes back. */
  holder: string
  nowMs?: () => number
  /** Only to ask. */
  readOnly?: boolean
}

export interface SqliteCatalog extends Catalog {
  /** Frees what earlier runs of this holder, now certainly dead, had claimed. */
  releaseOwn(): void
  /** A damaged catalog was replaced by this one: what anybody learnt from the old one is void. */
  startEpoch(epoch: number): void
}

/**
 * A catalog in one SQLite file: for a library on a local disk, shared by the processes of one machine. Opening it, and freeing what
 * is its own, throw SQLite's own errors; later calls tell of damage as `state-corrupt`.
 */
export function sqliteCatalog(options: SqliteCatalogOptions): SqliteCatalog {
  const { holder } = options
  const now = options.nowMs ?? Date.now
  const sqlite = new Sqlite(options.path, {
    durability: 'normal',
    cacheKiB: 1024,
    pageBytes: 2048,
    readOnly: options.readOnly ?? false,
  })
  try {
    sqlite.migrate(`The catalog ${options.path}`, migrations)
  } catch (error) {
    sqlite.close()
    throw isOutOfRoom(error) ? refused(error) : error
  }
  const rows = new CatalogRows(sqlite)
  const make = (change: Change): void => sqlite.transaction(() => rows.apply(change))
  const makeTold = (change: Change): void => told(() => make(change))

  return {
    async identity() {
      return { id: options.id, epoch: rows.epoch() }
    },
    async known(digests) {
      return told(() => rows.known(digests))
    },
    async located(digests) {
      return told(() => rows.located(digests))
    },
    async resembling(probes) {
      return told(() => probes.map((probe) => rows.resembling(probe)))
    },
    async claim(wants) {
      const nowMs = now()
      return told(() =>
        sqlite.transaction(() => wants.map((want) => rows.claim(want, options, nowMs, () => undefined))),
      )
    },
    async renew() {
      makeTold({ change: 'renew', holder, untilMs: now() + leaseMs })
    },
    async release(claims) {
      makeTold({ change: 'release', holder, claims })
    },
    async record(entries) {
      // only this must outlive a power cut: a lost claim costs nothing, a lost record would be an upload acknowledged for nothing
      sqlite.db.exec('PRAGMA synchronous=FULL')
      try {
        makeTold({ change: 'record', holder, entries })
      } finally {
        sqlite.db.exec('PRAGMA synchronous=NORMAL')
      }
    },
    async forget(keys) {
      if (keys.length > 0) makeTold({ change: 'forget', keys })
    },
    async *entries() {
      for (let page = rows.page(''); page.length > 0; page = rows.page(page.at(-1)?.key ?? '')) yield* page
    },
    async close() {
      sqlite.close()
    },
    releaseOwn() {
      // read by every run, outside of its lanes
      rows.epoch()
      make({ change: 'free', holder })
    },
    startEpoch(epoch) {
      make({ change: 'epoch', epoch })
    },
  }
}

function refused(error: unknown): LuminaError {
  if (isReadOnly(error)) {
    return new LuminaError('destination-read-only', "The catalog of the library can't be written.", {
      cause: error,
      hint: 'Check who owns the library and whether its disk is mounted read-only.',
    })
  }
  return new LuminaError(
    'destination-full',
    `The catalog of the library can't be written: ${(error as Error).message}.`,
    {
      cause: error,
      hint: 'Is its disk full? Free some space; everything stored so far stays.',
    },
  )
}

/** Damage in the middle of a file shows itself only when that page is read. */
function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (isReadOnly(error) || isOutOfRoom(error)) throw refused(error)
    if (!isDamage(error)) throw error
    throw new LuminaError('state-corrupt', 'The catalog of the library is damaged.', {
      cause: error,
      hint: 'It is made again from the stored files by: lumina index <library>',
    })
  }
}
