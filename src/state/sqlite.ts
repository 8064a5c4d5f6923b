import { DatabaseSync, type StatementSync } from 'node:sqlite'

import { LuminaError, systemCode } from '../errors.ts'

/** How long a writer waits for another process's transaction before it gives up. */
const busyTimeoutMs = 30_000

export interface OpenOptions {
  readOnly?: boolean
  /** `full`: a commit survives a power cut; `normal`: it survives a crash of the program. */
  durability?: 'full' | 'normal'
  cacheKiB?: number
  /** Of a new file. Rows that come in random order cost a page each: a small one is soon written. */
  pageBytes?: number
}

/** An SQLite file in WAL mode with prepared statements made once. Never for a network file system: WAL needs shared memory. */
export class Sqlite {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, options: OpenOptions = {}) {
    this.db = new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: busyTimeoutMs })
    if (options.readOnly) return
    try {
      patiently(() => this.db.exec(`PRAGMA page_size=${options.pageBytes ?? 4096}; PRAGMA journal_mode=WAL`))
      this.db.exec(
        `PRAGMA synchronous=${options.durability ?? 'normal'};
         PRAGMA cache_size=-${options.cacheKiB ?? 2048}; PRAGMA journal_size_limit=16777216; PRAGMA temp_store=FILE`,
      )
    } catch (error) {
      // a damaged file is about to be moved out of the way, which Windows refuses for open ones
      this.db.close()
      throw error
    }
  }

  /** The statement for `sql`, prepared once. Rows come as arrays: half the cost of objects. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.db.prepare(sql)
      statement.setReturnArrays(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  run(sql: string, ...values: Value[]): void {
    this.prepare(sql).run(...values)
  }

  row<T extends unknown[]>(sql: string, ...values: Value[]): T | undefined {
    return this.prepare(sql).get(...values) as unknown as T | undefined
  }

  rows<T extends unknown[]>(sql: string, ...values: Value[]): T[] {
    return this.prepare(sql).all(...values) as unknown as T[]
  }

  /** All of `work` or none of it. It takes the write lock at once, so that nothing it has read can change under it. */
  transaction<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  /**
   * Brings the file to `target` by running the steps after its `user_version`.
   * @throws `state-newer` for a file that a newer Lumina wrote: it is left as it is.
   */
  migrate(what: string, steps: readonly string[]): void {
    if (this.#version() === steps.length) return
    this.transaction(() => {
      const version = this.#version()
      if (version > steps.length) {
        throw new LuminaError(
          'state-newer',
          `${what} was written by a newer Lumina (version ${version}; this one knows ${steps.length}).`,
          {
            hint: 'Update Lumina, or name another --state folder.',
          },
        )
      }
      for (const step of steps.slice(version)) this.db.exec(step)
      this.db.exec(`PRAGMA user_version=${steps.length}`)
    })
  }

  #version(): number {
    return this.row<[number]>('PRAGMA user_version')?.[0] ?? 0
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }
}

/** Two that turn a new file to WAL at once may meet a lock that SQLite's own timeout does not cover. */
function patiently(work: () => void): void {
  for (let pauses = 0; ; pauses++) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || pauses * pauseMs >= busyTimeoutMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
    }
  }
}

const pauseMs = 10

type Value = string | number | bigint | null | Uint8Array

const failed = 1
const busy = 5
const locked = 6
const readOnly = 8
const ioError = 10
const corrupt = 11
const full = 13
const cannotOpen = 14
const constraint = 19
const mismatch = 20
const notADatabase = 26

/** A value that nobody has written: SQLite has no checksums, so that what the disk garbled shows only where it is used. */
export class DamagedValue extends Error {
  override readonly name = 'DamagedValue'
}

/** Whether the file itself is damaged, not that a call went wrong. */
export function isDamage(error: unknown): boolean {
  // an integer that no JavaScript number holds, and so none has written
  if (error instanceof DamagedValue || systemCode(error) === 'ERR_OUT_OF_RANGE') return true
  const code = primaryCode(error)
  if (code === corrupt || code === notADatabase) return true
  // after `migrate`, a table can only be missing where the schema's own page is damaged
  return (
    code === failed &&
    /no such (table|column|index)|has no column|columns? but|malformed|unsupported file format/.test(
      (error as Error).message,
    )
  )
}

export function isBusy(error: unknown): boolean {
  const code = primaryCode(error)
  return code === busy || code === locked
}

/** Whether a row broke the rules of its table: where no statement can do that, the file is damaged. */
export function isBrokenRule(error: unknown): boolean {
  const code = primaryCode(error)
  return code === constraint || code === mismatch
}

/** Whether SQLite takes the file for read-only: by its permissions, or by a damaged header that asks for a newer SQLite. */
export function isReadOnly(error: unknown): boolean {
  return primaryCode(error) === readOnly
}

/** Whether the file system would not take it: full (which SQLite calls an I/O error where its shared memory is concerned), or failing. */
export function isOutOfRoom(error: unknown): boolean {
  const code = primaryCode(error)
  return code === full || code === ioError || code === cannotOpen
}

/** Extended codes carry the primary one in their low byte: https://sqlite.org/rescode.html */
function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode
  return error instanceof Error && typeof code === 'number' ? code & 0xff : undefined
}
