import { DatabaseSync, type StatementSync } from 'node:sqlite'

import { LuminaError } from '../errors.ts'

/** How long a writer waits for another process's transaction before it gives up. */
const busyTimeoutMs = 30_000

export interface OpenOptions {
  readOnly?: boolean
  /** `full`: a commit survives a power cut; `normal`: it survives a crash of the program. */
  durability?: 'full' | 'normal'
  cacheKiB?: number
}

/** An SQLite file in WAL mode with prepared statements made once. Never for a network file system: WAL needs shared memory. */
export class Sqlite {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, options: OpenOptions = {}) {
    this.db = new DatabaseSync(path, { readOnly: options.readOnly ?? false, timeout: busyTimeoutMs })
    if (options.readOnly) return
    this.db.exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=${options.durability ?? 'normal'};
       PRAGMA cache_size=-${options.cacheKiB ?? 2048}; PRAGMA journal_size_limit=16777216; PRAGMA temp_store=FILE`,
    )
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
        throw new LuminaError('state-newer', `${what} was written by a newer Lumina (version ${version}; this one knows ${steps.length}).`, {
          hint: 'Update Lumina, or name another --state folder.',
        })
      }
      for (const step of steps.slice(version)) this.db.exec(step)
      this.db.exec(`PRAGMA user_version=${steps.length}`)
    })
  }

  #version(): number {
    return Number(this.row<[number]>('PRAGMA user_version')?.[0] ?? 0)
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }
}

type Value = string | number | bigint | null | Uint8Array

const corrupt = 11
const notADatabase = 26

/** Whether SQLite says that the file itself is damaged, not that a call went wrong. */
export function isDamage(error: unknown): boolean {
  const code = (error as { errcode?: number } | undefined)?.errcode
  // extended codes carry the primary one in their low byte: https://sqlite.org/rescode.html
  return typeof code === 'number' && ((code & 0xff) === corrupt || (code & 0xff) === notADatabase)
}

export function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: number } | undefined)?.errcode
  return typeof code === 'number' && ((code & 0xff) === 5 || (code & 0xff) === 6)
}
