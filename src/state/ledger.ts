import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { CatalogEntry, CatalogIdentity, Key, ResumeToken, Sha256 } from '../client/destination.ts'
import { type ErrorCode, LuminaError } from '../errors.ts'
import type { Kind, SummaryEvent } from '../events.ts'
import { asText, fromText } from '../os-path.ts'
import { isWritable } from './is-writable.ts'
import { DamagedValue, isBrokenRule, isDamage, isOutOfRoom, isReadOnly, Sqlite } from './sqlite.ts'

const migrations = [
  `CREATE TABLE place (slot INTEGER PRIMARY KEY, url TEXT NOT NULL, catalog TEXT NOT NULL, epoch INTEGER NOT NULL, used_ms INTEGER NOT NULL);
   CREATE TABLE dir (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
   CREATE TABLE file (dir INTEGER, name TEXT, bytes INTEGER, mtime_us INTEGER, ctime_us INTEGER, inode INTEGER,
     kind TEXT, digest BLOB, stored INTEGER, PRIMARY KEY (dir, name)) WITHOUT ROWID;
   CREATE TABLE transfer (path TEXT, url TEXT, bytes INTEGER, mtime_us INTEGER, token TEXT NOT NULL, begun_ms INTEGER, PRIMARY KEY (path, url)) WITHOUT ROWID;
   CREATE TABLE run (id INTEGER PRIMARY KEY, command TEXT, source TEXT, url TEXT, begun_ms INTEGER, ended_ms INTEGER, exit_code INTEGER, summary TEXT);
   CREATE TABLE failure (run INTEGER, path TEXT, code TEXT, message TEXT);
   CREATE INDEX failure_run ON failure (run)`,
  // one place may be reached by several URLs, and a URL may lead to another place than before
  `CREATE TABLE location (url TEXT PRIMARY KEY, catalog TEXT NOT NULL, epoch INTEGER NOT NULL) WITHOUT ROWID;
   INSERT OR REPLACE INTO location SELECT url, catalog, epoch FROM place ORDER BY used_ms`,
  // what a catalog out of reach could not be told
  `CREATE TABLE unrecorded (url TEXT, key TEXT, entry TEXT NOT NULL, PRIMARY KEY (url, key)) WITHOUT ROWID`,
] as const

/** Slots are bits of `file.stored`, which JavaScript shifts as 32-bit integers. */
const slots = 31
/** Failures kept for `lumina status`; more of them say nothing new. */
const keptFailures = 1000
const keptRuns = 200

/** What tells whether a file is the one that was seen before. Times in microseconds, as far as a double holds them. */
export interface FileStamp {
  bytes: number
  mtimeUs: number
  /** 0 where the file system gives none that lasts (FAT, SMB, FUSE). */
  ctimeUs: number
  inode: number
}

/** What the ledger remembers of one file, its digest apart: a walk needs that of changed places only, and it is a third of the cost. */
export interface Seen extends FileStamp {
  name: string
  kind: Kind | undefined
  /** A bit for each place that stores this content; see `Ledger.place`. */
  stored: number
}

export interface Remembered extends Seen {
  digest: Sha256 | undefined
}

export interface RememberedFolder {
  path: string
  files: readonly Remembered[]
}

export interface BegunTransfer {
  path: string
  url: string
  bytes: number
  mtimeUs: number
  token: ResumeToken
  begunMs: number
}

export interface RunRecord {
  id: number
  command: string
  source: string
  url: string
  begunMs: number
  endedMs: number | undefined
  exitCode: number | undefined
  summary: SummaryEvent | undefined
}

export interface Failure {
  path: string
  code: ErrorCode
  message: string
}

type SeenRow = [string, number, number, number, number, string | null, number]

/**
 * This machine's own memory: stat cache, transfers to resume, runs. Losing it costs time, never data; so a damaged file is set
 * aside and an empty one takes its place, in the middle of a run too.
 */
export class Ledger {
  readonly path: string
  /** Set when a damaged ledger was put aside: where it is now. */
  setAside: string | undefined
  #sqlite: Sqlite
  #inode: bigint | undefined
  /** The bits that mean something here: those of places handed out before the ledger was put aside do not. */
  #meant = ~0
  readonly #dirs = new Map<string, number>()

  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    this.path = join(stateDir, 'ledger.db')
    this.#sqlite = this.#open()
  }

  #open(): Sqlite {
    try {
      return this.#tryOpen()
    } catch (error) {
      if (!isDamage(error)) throw this.#told(error)
      this.#putAside()
      return this.#tryOpen()
    }
  }

  #tryOpen(): Sqlite {
    const sqlite = new Sqlite(this.path, { durability: 'normal', cacheKiB: 512 })
    try {
      sqlite.migrate(`The ledger ${this.path}`, migrations)
    } catch (error) {
      sqlite.close()
      throw error
    }
    this.#inode = inodeOf(this.path)
    this.#dirs.clear()
    return sqlite
  }

  /** Another thread may have put the same file aside a moment ago: then its fresh one is left alone. */
  #putAside(): void {
    this.#meant = 0
    if (this.#inode !== undefined && inodeOf(this.path) !== this.#inode) return
    this.setAside = `${this.path}.damaged-${Date.now()}`
    if (existsSync(this.path)) renameSync(this.path, this.setAside)
    for (const suffix of ['-wal', '-shm']) {
      if (existsSync(this.path + suffix)) renameSync(this.path + suffix, this.setAside + suffix)
    }
  }

  #told(error: unknown): unknown {
    if (!isOutOfRoom(error)) return error
    return new LuminaError('config', `The ledger ${this.path} can't be written: ${(error as Error).message}.`, {
      cause: error,
      hint: 'Is its disk full? Free some space, or name another folder with --state.',
    })
  }

  #heal<T>(work: (sqlite: Sqlite) => T): T {
    try {
      return work(this.#sqlite)
    } catch (error) {
      if (!this.#isDamage(error)) throw this.#told(error)
      this.#sqlite.close()
      this.#putAside()
      this.#sqlite = this.#open()
      return work(this.#sqlite)
    }
  }

  #isDamage(error: unknown): boolean {
    // every statement here replaces what is in its way
    if (isDamage(error) || isBrokenRule(error)) return true
    return isReadOnly(error) && isWritable(this.path)
  }

  /**
   * The bit that stands for "stored at this place" in `Remembered.stored`. Another epoch is another place, so that nothing need be
   * cleared when a catalog forgets; the least recently used place makes room when all bits are taken.
   */
  place(url: string, catalog: CatalogIdentity, nowMs: number): number {
    return this.#heal((sqlite) =>
      sqlite.transaction(() => {
        const known = sqlite.row<[number]>(
          'SELECT slot FROM place WHERE catalog=? AND epoch=?',
          catalog.id,
          catalog.epoch,
        )
        const slot = known?.[0] ?? this.#freeSlot(sqlite)
        sqlite.run('INSERT OR REPLACE INTO place VALUES (?,?,?,?,?)', slot, url, catalog.id, catalog.epoch, nowMs)
        sqlite.run('INSERT OR REPLACE INTO location VALUES (?,?,?)', url, catalog.id, catalog.epoch)
        this.#meant |= 1 << slot
        return 1 << slot
      }),
    )
  }

  #freeSlot(sqlite: Sqlite): number {
    const taken = new Set(sqlite.rows<[number]>('SELECT slot FROM place').map(([slot]) => slot))
    const free = Array.from({ length: slots }, (_, slot) => slot).find((slot) => !taken.has(slot))
    const slot = free ?? (sqlite.row<[number]>('SELECT slot FROM place ORDER BY used_ms LIMIT 1') as [number])[0]
    // also of one that seems never used: a run that was under way when the ledger was put aside may have written it
    sqlite.run('UPDATE file SET stored = stored & ? WHERE stored & ?', ~(1 << slot), 1 << slot)
    return slot
  }

  /** The catalog that this URL led to when it was last used. */
  catalogAt(url: string): CatalogIdentity | undefined {
    const row = this.#heal((sqlite) =>
      sqlite.row<[string, number]>('SELECT catalog, epoch FROM location WHERE url=?', url),
    )
    return row && { id: row[0], epoch: row[1] }
  }

  /** What is remembered of the files of one folder, in the order of their names' bytes. */
  folder(path: string): Seen[] {
    return this.#heal((sqlite) => {
      const id = this.#dirId(sqlite, path)
      if (id === undefined) return []
      return sqlite
        .rows<SeenRow>(
          'SELECT name, bytes, mtime_us, ctime_us, inode, kind, stored FROM file WHERE dir=? ORDER BY name',
          id,
        )
        .map((row) => this.#seen(row))
    })
  }

  /** What is remembered of one file: for folders too large to be read whole, and for lists of files. */
  file(path: string, name: string): Seen | undefined {
    return this.#heal((sqlite) => {
      const id = this.#dirId(sqlite, path)
      if (id === undefined) return undefined
      const row = sqlite.row<SeenRow>(
        'SELECT name, bytes, mtime_us, ctime_us, inode, kind, stored FROM file WHERE dir=? AND name=?',
        id,
        asText(name),
      )
      return row && this.#seen(row)
    })
  }

  #seen([name, bytes, mtimeUs, ctimeUs, inode, kind, stored]: SeenRow): Seen {
    const numbers = [bytes, mtimeUs, ctimeUs, inode, stored].every((value) => typeof value === 'number')
    if (!numbers || typeof name !== 'string' || (kind !== null && typeof kind !== 'string'))
      throw new DamagedValue('a file')
    return {
      name: fromText(name),
      bytes,
      mtimeUs,
      ctimeUs,
      inode,
      kind: kind ?? undefined,
      stored: stored & this.#meant,
    }
  }

  digest(path: string, name: string): Sha256 | undefined {
    return this.#heal((sqlite) => {
      const id = this.#dirId(sqlite, path)
      if (id === undefined) return undefined
      const row = sqlite.row<[Uint8Array | null]>('SELECT digest FROM file WHERE dir=? AND name=?', id, asText(name))
      return row?.[0] ? Buffer.from(row[0]).toString('hex') : undefined
    })
  }

  /** Remembers files of several folders at once; in the order of the walk, which is the order of the table. */
  remember(folders: readonly RememberedFolder[]): void {
    if (folders.length === 0) return
    this.#heal((sqlite) =>
      sqlite.transaction(() => {
        const insert = sqlite.prepare('INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?,?)')
        for (const { path, files } of folders) {
          const id = this.#dirId(sqlite, path) ?? this.#newDir(sqlite, path)
          for (const file of files) {
            const { bytes, mtimeUs, ctimeUs, inode, kind = null, stored } = file
            const digest = file.digest === undefined ? null : Buffer.from(file.digest, 'hex')
            insert.run(
              id,
              asText(file.name),
              bytes,
              whole(mtimeUs),
              whole(ctimeUs),
              inode,
              kind,
              digest,
              stored & this.#meant,
            )
          }
        }
      }),
    )
  }

  #dirId(sqlite: Sqlite, path: string): number | undefined {
    const cached = this.#dirs.get(path)
    if (cached !== undefined) return cached
    const row = sqlite.row<[number]>('SELECT id FROM dir WHERE path=?', asText(path))
    return row && this.#cacheDir(path, row[0])
  }

  #newDir(sqlite: Sqlite, path: string): number {
    const row = sqlite.row<[number]>(
      'INSERT INTO dir(path) VALUES (?) ON CONFLICT(path) DO UPDATE SET path=path RETURNING id',
      asText(path),
    )
    return this.#cacheDir(path, (row as [number])[0])
  }

  #cacheDir(path: string, id: number): number {
    if (this.#dirs.size >= 256) this.#dirs.clear()
    this.#dirs.set(path, id)
    return id
  }

  /** The transfer of this very file to `url` that was begun and not finished. */
  transfer(path: string, url: string, file: FileStamp): ResumeToken | undefined {
    const row = this.#heal((sqlite) =>
      sqlite.row<[number, number, string]>(
        'SELECT bytes, mtime_us, token FROM transfer WHERE path=? AND url=?',
        asText(path),
        url,
      ),
    )
    if (!row || row[0] !== file.bytes || row[1] !== file.mtimeUs) return undefined
    return parsed<ResumeToken>(row[2])
  }

  /** Durable when it returns: a transfer that nobody remembers cannot be resumed. */
  begin(path: string, url: string, file: FileStamp, token: ResumeToken, nowMs: number): void {
    this.#heal((sqlite) => {
      sqlite.db.exec('PRAGMA synchronous=FULL')
      sqlite.run(
        'INSERT OR REPLACE INTO transfer VALUES (?,?,?,?,?,?)',
        asText(path),
        url,
        file.bytes,
        file.mtimeUs,
        JSON.stringify(token),
        nowMs,
      )
      sqlite.db.exec('PRAGMA synchronous=NORMAL')
    })
  }

  finish(path: string, url: string): void {
    this.#heal((sqlite) => sqlite.run('DELETE FROM transfer WHERE path=? AND url=?', asText(path), url))
  }

  /** Keeps, durably, what is stored at `url` and its catalog could not be told. */
  keepUnrecorded(url: string, entries: readonly CatalogEntry[]): void {
    this.#heal((sqlite) => {
      sqlite.db.exec('PRAGMA synchronous=FULL')
      sqlite.transaction(() => {
        for (const entry of entries) {
          const text = JSON.stringify({ ...entry, name: asText(entry.name) })
          sqlite.run('INSERT OR REPLACE INTO unrecorded VALUES (?,?,?)', url, entry.key, text)
        }
      })
      sqlite.db.exec('PRAGMA synchronous=NORMAL')
    })
  }

  /** What is still to be told to the catalog of `url`, in key order: at most `count` of it. */
  unrecorded(url: string, count: number): CatalogEntry[] {
    const rows = this.#heal((sqlite) =>
      sqlite.rows<[string]>('SELECT entry FROM unrecorded WHERE url=? ORDER BY key LIMIT ?', url, count),
    )
    return rows.flatMap(([text]) => {
      const entry = parsed<CatalogEntry>(text)
      return entry ? [{ ...entry, name: fromText(entry.name) }] : []
    })
  }

  /** The catalog of `url` has been told of these. */
  recorded(url: string, keys: readonly Key[]): void {
    this.#heal((sqlite) =>
      sqlite.transaction(() => {
        for (const key of keys) sqlite.run('DELETE FROM unrecorded WHERE url=? AND key=?', url, key)
      }),
    )
  }

  transfers(url?: string): BegunTransfer[] {
    const rows = this.#heal((sqlite) =>
      sqlite.rows<[string, string, number, number, string, number]>(
        'SELECT path, url, bytes, mtime_us, token, begun_ms FROM transfer WHERE ? IS NULL OR url=? ORDER BY begun_ms',
        url ?? null,
        url ?? null,
      ),
    )
    return rows.flatMap(([path, to, bytes, mtimeUs, text, begunMs]) => {
      const token = parsed<ResumeToken>(text)
      return token ? [{ path: fromText(path), url: to, bytes, mtimeUs, token, begunMs }] : []
    })
  }

  beginRun(command: string, source: string, url: string, nowMs: number): number {
    return this.#heal((sqlite) =>
      sqlite.transaction(() => {
        sqlite.run('DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - ?', keptRuns)
        sqlite.run('DELETE FROM failure WHERE run NOT IN (SELECT id FROM run)')
        const row = sqlite.row<[number]>(
          'INSERT INTO run(command, source, url, begun_ms) VALUES (?,?,?,?) RETURNING id',
          command,
          asText(source),
          url,
          nowMs,
        )
        return (row as [number])[0]
      }),
    )
  }

  endRun(
    id: number,
    exitCode: number,
    summary: SummaryEvent | undefined,
    failures: readonly Failure[],
    nowMs: number,
  ): void {
    this.#heal((sqlite) =>
      sqlite.transaction(() => {
        sqlite.run(
          'UPDATE run SET ended_ms=?, exit_code=?, summary=? WHERE id=?',
          nowMs,
          exitCode,
          summary ? JSON.stringify(summary) : null,
          id,
        )
        for (const failure of failures.slice(0, keptFailures)) {
          sqlite.run('INSERT INTO failure VALUES (?,?,?,?)', id, asText(failure.path), failure.code, failure.message)
        }
      }),
    )
  }

  /** The last runs, newest first. */
  runs(limit: number): RunRecord[] {
    const rows = this.#heal((sqlite) =>
      sqlite.rows<[number, string, string, string, number, number | null, number | null, string | null]>(
        'SELECT id, command, source, url, begun_ms, ended_ms, exit_code, summary FROM run ORDER BY id DESC LIMIT ?',
        limit,
      ),
    )
    return rows.map(([id, command, source, url, begunMs, endedMs, exitCode, summary]) => ({
      id,
      command,
      source: fromText(source),
      url,
      begunMs,
      endedMs: endedMs ?? undefined,
      exitCode: exitCode ?? undefined,
      summary: summary === null ? undefined : parsed<SummaryEvent>(summary),
    }))
  }

  failures(run: number): Failure[] {
    return this.#heal((sqlite) =>
      sqlite
        .rows<[string, ErrorCode, string]>('SELECT path, code, message FROM failure WHERE run=? ORDER BY rowid', run)
        .map(([path, code, message]) => ({ path: fromText(path), code, message })),
    )
  }

  close(): void {
    this.#sqlite.close()
  }
}

/** A time of the year 2300, which some file systems hold, in microseconds: what SQLite can give back as a number. */
function whole(timeUs: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, timeUs))
}

/** SQLite has no checksums: what the disk garbled inside a value is noticed only where it is used. */
function parsed<T extends object>(text: string): T | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? (value as T) : undefined
  } catch {
    return undefined
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}

/** The folder of the ledger is not to be made: `undefined` when this machine has none yet. */
export function existingLedger(stateDir: string): Ledger | undefined {
  return existsSync(join(stateDir, 'ledger.db')) ? new Ledger(stateDir) : undefined
}
