import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import { LuminaError } from '../../../errors.ts'
import { isBrokenRule, isDamage, isOutOfRoom, isReadOnly, Sqlite } from '../../../state/sqlite.ts'
import type { CatalogEntry, Key, Sha256 } from '../../destination.ts'
import { CatalogRows, migrations } from '../rows.ts'
import type { Segment } from './format.ts'

/*
 * `segment`: what was read, and the last of the files that hold it. `forgotten` and `later` make the order in which segments come
 * all the same: a key is forgotten in all epochs before the one that its forgetting began, and `later` has the epoch of what was
 * recorded after the first of them.
 */
const tables = `
  CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, whole INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS segment (name TEXT PRIMARY KEY, sha256 BLOB NOT NULL, file TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS segment_file ON segment (file);
  CREATE TABLE IF NOT EXISTS forgotten (key TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS later (key TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID`

/** What this machine has read of the segments, and what its lanes and processes have claimed. All but the claims can be read again. */
export class SegmentIndex {
  readonly #path: string
  /**
   * How often it was damaged and made anew, each time under a new name: SQLite, when it closes a file that somebody has replaced,
   * takes the replacement's log for its own and removes it (https://sqlite.org/howtocorrupt.html, on unlinking a file in use).
   */
  #turn: number
  #sqlite: Sqlite
  rows: CatalogRows

  /** @throws as `indexFailure` has it */
  constructor(path: string) {
    this.#path = path
    this.#turn = latestTurn(path)
    const [sqlite, turn] = openFrom(path, this.#turn)
    this.#sqlite = sqlite
    this.#turn = turn
    this.rows = new CatalogRows(sqlite)
  }

  /** Goes where another lane or process has made it anew. */
  follow(): void {
    if (existsSync(fileOf(this.#path, this.#turn + 1))) this.#goTo(latestTurn(this.#path))
  }

  /** Begins anew, unless somebody has done so already. */
  remake(): void {
    this.#goTo(Math.max(this.#turn + 1, latestTurn(this.#path)))
  }

  #goTo(turn: number): void {
    const before = this.#turn
    this.#sqlite.close()
    const [sqlite, opened] = openFrom(this.#path, turn)
    this.#sqlite = sqlite
    this.#turn = opened
    this.rows = new CatalogRows(sqlite)
    for (let old = before; old < opened; old++) remove(fileOf(this.#path, old))
  }

  transaction<T>(work: () => T): T {
    return this.#sqlite.transaction(work)
  }

  /** Applies a segment, which `file` holds. False: another was read under its name. `holder`: whose claims end with it. */
  apply(segment: Segment, file: Key, holder = ''): boolean {
    return this.transaction(() => {
      const before = this.segment(segment.name)
      if (before && before.sha256 !== segment.sha256) return false
      if (!before || holder !== '') this.#record(segment, holder)
      if (!before) this.#forget(segment)
      this.#sqlite.run(
        'INSERT INTO segment VALUES (?,?,?) ON CONFLICT DO UPDATE SET file = max(file, excluded.file)',
        segment.name,
        Buffer.from(segment.sha256, 'hex'),
        file,
      )
      return true
    })
  }

  segment(name: string): { sha256: Sha256; file: Key } | undefined {
    const row = this.#sqlite.row<[Uint8Array, string]>('SELECT sha256, file FROM segment WHERE name=?', name)
    return row && { sha256: Buffer.from(row[0]).toString('hex'), file: row[1] }
  }

  #record({ epoch, entries }: Segment, holder: string): void {
    const alive = entries.filter(({ key }) => epoch >= (this.#epochIn('forgotten', key) ?? 0))
    this.rows.apply({ change: 'record', holder, entries: alive })
    // those that are forgotten already still end their claims
    if (alive.length < entries.length) this.rows.apply({ change: 'release', holder, claims: entries })
    if (epoch === firstEpoch) return
    const sql = 'INSERT INTO later VALUES (?,?) ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch)'
    for (const entry of alive) if (this.#has(entry)) this.#sqlite.run(sql, entry.key, epoch)
  }

  #forget({ epoch, forgotten }: Segment): void {
    if (forgotten.length === 0) return
    const sql = 'INSERT INTO forgotten VALUES (?,?) ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch)'
    for (const key of forgotten) this.#sqlite.run(sql, key, epoch)
    const keys = forgotten.filter((key) => (this.#epochIn('later', key) ?? firstEpoch) < epoch)
    this.rows.apply({ change: 'forget', keys })
    for (const key of keys) this.#sqlite.run('DELETE FROM later WHERE key=?', key)
  }

  /** In which a segment is written that speaks of these keys: after all that was said of them before. */
  epochFor(keys: readonly Key[]): number {
    let epoch = this.rows.epoch()
    for (const key of keys) {
      epoch = Math.max(epoch, this.#epochIn('forgotten', key) ?? 0, this.#epochIn('later', key) ?? 0)
    }
    return epoch
  }

  #epochIn(table: 'forgotten' | 'later', key: Key): number | undefined {
    return this.#sqlite.row<[number]>(`SELECT epoch FROM ${table} WHERE key=?`, key)?.[0]
  }

  /** Those of the entries that no segment tells yet. */
  untold(entries: readonly CatalogEntry[]): CatalogEntry[] {
    return entries.filter((entry) => !this.#has(entry))
  }

  #has({ key, digest }: CatalogEntry): boolean {
    const sql = 'SELECT 1 FROM object WHERE key=? AND digest=?'
    return this.#sqlite.row(sql, key, Buffer.from(digest, 'hex')) !== undefined
  }

  /** Whether a file was read; `whole`: and was found to be good. */
  hasRead(path: Key, whole: boolean): boolean {
    return this.#sqlite.row('SELECT 1 FROM file WHERE path=? AND whole>=?', path, whole ? 1 : 0) !== undefined
  }

  markRead(path: Key, whole: boolean): void {
    this.#sqlite.run('INSERT OR REPLACE INTO file VALUES (?,?)', path, whole ? 1 : 0)
  }

  hasReadAny(): boolean {
    return this.#sqlite.row('SELECT 1 FROM file LIMIT 1') !== undefined
  }

  /** Whether all that this file holds was seen in a later one. */
  isSuperseded(path: Key): boolean {
    return (
      this.hasRead(path, true) && this.#sqlite.row('SELECT 1 FROM segment WHERE file=? LIMIT 1', path) === undefined
    )
  }

  /** When the bucket was last listed; undefined: never yet. */
  listedMs(): number | undefined {
    return this.#sqlite.row<[number]>("SELECT value FROM meta WHERE name='listed'")?.[0]
  }

  setListed(nowMs: number): void {
    this.#sqlite.run("INSERT OR REPLACE INTO meta VALUES ('listed', ?)", nowMs)
  }

  close(): void {
    this.#sqlite.close()
  }
}

/** Whether only a new index helps. */
export function isIndexDamage(error: unknown): boolean {
  // every statement here replaces what is in its way, and a damaged head may read as that of a file which nobody may write to
  return isDamage(error) || isBrokenRule(error) || isReadOnly(error)
}

/** What a failure of the index means for the run. */
export function indexFailure(path: string, error: unknown): unknown {
  if (!isOutOfRoom(error)) return error
  return new LuminaError('config', `The index ${path} of the catalog can't be written: ${(error as Error).message}.`, {
    cause: error,
    hint: 'Is its disk full? Free some space, or name another folder with --state.',
  })
}

/** Of a catalog that has never forgotten anything. */
const firstEpoch = 1

/** Opens the index of this turn, or of the next where it is damaged. */
function openFrom(path: string, turn: number): [Sqlite, number] {
  try {
    return [tryOpen(fileOf(path, turn)), turn]
  } catch (error) {
    if (!isIndexDamage(error)) throw indexFailure(path, error)
    const opened = openFrom(path, turn + 1)
    remove(fileOf(path, turn))
    return opened
  }
}

function fileOf(path: string, turn: number): string {
  return turn === 0 ? path : `${path}.${turn}`
}

function latestTurn(path: string): number {
  const start = `${basename(path)}.`
  const folder = dirname(path)
  // SQLite will say what is wrong with a folder that is not there
  const turns = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.startsWith(start))
    .map((name) => name.slice(start.length))
    .filter((rest) => /^\d{1,9}$/.test(rest))
  return Math.max(0, ...turns.map(Number))
}

function tryOpen(path: string): Sqlite {
  const sqlite = new Sqlite(path, { durability: 'normal', cacheKiB: 2048 })
  try {
    sqlite.migrate(`The index ${path}`, migrations)
    if (!sqlite.row("SELECT 1 FROM sqlite_master WHERE name='later'")) sqlite.db.exec(tables)
    return sqlite
  } catch (error) {
    sqlite.close()
    throw error
  }
}

function remove(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}
