import { rmSync } from 'node:fs'

import { LuminaError } from '../../errors.ts'
import { isDamage, Sqlite } from '../../state/sqlite.ts'
import type { Catalog } from '../destination.ts'
import { append, decode, encode, endTornLine, type Line, mark, readLines, type Stretch, version } from './log/file.ts'
import { type HeldLock, lockFile } from './log/lock.ts'
import { CatalogRows, type Change, type Claimant, leaseMs, migrations } from './rows.ts'

export interface LogCatalogOptions extends Claimant {
  /** The log, on the library. */
  path: string
  /** This machine's index of it: an SQLite file on a local disk. */
  indexPath: string
  /** What this catalog is, for ever. */
  id: string
  /** The clock of leases; the file server's, unless a test brings one. */
  nowMs?: () => number
  /** How long the lock stands without a sign of life. */
  lockLeaseMs?: number
}

export interface LogCatalog extends Catalog {
  /** Frees what earlier runs of this holder, now certainly dead, had claimed. */
  releaseOwn(): Promise<void>
}

/**
 * A catalog for libraries on network and unknown file systems, where SQLite's own locks and shared memory can't be trusted. The truth
 * is a log beside the objects, to which lines are added under a lock file; each machine keeps an index of what it has read of it,
 * which may be lost at any time.
 */
export function logCatalog(options: LogCatalogOptions): LogCatalog {
  const { holder } = options
  const log = new Log(options)
  const make = (change: Change, durable = false): Promise<void> =>
    log.change(durable, (rows, _, add) => {
      rows.apply(change)
      add(change)
    })

  return {
    async identity() {
      const epoch = await log.read((rows) => rows.epoch())
      if (epoch > 0) return { id: options.id, epoch }
      await log.change(false, () => undefined)
      return { id: options.id, epoch: await log.read((rows) => rows.epoch()) }
    },
    known: (digests) => log.read((rows) => rows.known(digests)),
    located: (digests) => log.read((rows) => rows.located(digests)),
    resembling: (probes) => log.read((rows) => probes.map((probe) => rows.resembling(probe))),
    async claim(wants) {
      if (wants.length === 0) return []
      return log.change(false, (rows, nowMs, add) => wants.map((want) => rows.claim(want, options, nowMs, add)))
    },
    async renew() {
      if (!(await log.read((rows) => rows.holds(holder)))) return
      await log.change(false, (rows, nowMs, add) => {
        const change: Change = { change: 'renew', holder, untilMs: nowMs + leaseMs }
        rows.apply(change)
        add(change)
      })
    },
    async release(claims) {
      if (claims.length > 0) await make({ change: 'release', holder, claims })
    },
    async record(entries) {
      if (entries.length > 0) await make({ change: 'record', holder, entries }, true)
    },
    async forget(keys) {
      if (keys.length > 0) await make({ change: 'forget', keys }, true)
    },
    async *entries() {
      let page = await log.read((rows) => rows.page(''))
      while (page.length > 0) {
        yield* page
        const after = page.at(-1)?.key ?? ''
        page = await log.read((rows) => rows.page(after))
      }
    },
    async releaseOwn() {
      if (await log.read((rows) => rows.holds(holder))) await make({ change: 'free', holder })
    },
    async close() {
      log.close()
    },
  }
}

/** Decides on something, applies it to the index, and tells `add` what the log is to say of it. */
type Decision<T> = (rows: CatalogRows, nowMs: number, add: (change: Change) => void) => T

/** The log and this machine's index of it. */
class Log {
  readonly #options: LogCatalogOptions
  #sqlite: Sqlite
  #rows: CatalogRows
  /** One lock file at a time from one process. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: LogCatalogOptions) {
    this.#options = options
    this.#sqlite = openIndex(options.indexPath)
    this.#rows = new CatalogRows(this.#sqlite)
  }

  close(): void {
    this.#sqlite.close()
  }

  /** Asks the index, once it has read all that the log says. */
  async read<T>(ask: (rows: CatalogRows) => T): Promise<T> {
    const done = this.#healed(() => (this.#catchUp('stop') ? { answer: ask(this.#rows) } : undefined))
    if (done) return done.answer
    try {
      // a damaged line, or one that is being written: only under the lock can the two be told apart
      return await this.#locked(() => this.#healed(() => ask(this.#rows)))
    } catch (error) {
      if (!(error instanceof LuminaError) || error.code !== 'destination-read-only') throw error
      this.#healed(() => this.#catchUp('skip'))
      return ask(this.#rows)
    }
  }

  /** Decides under the lock, with everything known that others have decided before. */
  change<T>(durable: boolean, decide: Decision<T>): Promise<T> {
    return this.#locked((lock) => this.#healed(() => this.#commit(lock, durable, decide)))
  }

  #commit<T>(lock: HeldLock, durable: boolean, decide: Decision<T>): T {
    const { path, nowMs = () => lock.nowMs } = this.#options
    return this.#sqlite.transaction(() => {
      const changes: Line[] = this.#rows.epoch() === 0 ? [this.#begin(lock)] : []
      const answer = decide(this.#rows, nowMs(), (change) => merge(changes, change))
      if (changes.length > 0) {
        lock.beat()
        this.#remember(append(path, changes.map(encode).join(''), durable))
      }
      return answer
    })
  }

  /** The epoch of a new log is one that no earlier log of this library can have had: those count from their own beginning. */
  #begin(lock: HeldLock): Line {
    const begin = { change: 'begin', version, log: crypto.randomUUID(), epoch: lock.nowMs } as const
    this.#apply(begin)
    return begin
  }

  /** Runs `work` under the lock, with the index caught up. */
  #locked<T>(work: (lock: HeldLock) => T): Promise<T> {
    const { path, holder, lockLeaseMs } = this.#options
    const run = async (): Promise<T> => {
      const lock = await lockFile({
        path: `${path}.lock`,
        holder,
        ...(lockLeaseMs === undefined ? {} : { leaseMs: lockLeaseMs }),
      })
      try {
        endTornLine(path)
        this.#healed(() => this.#catchUp('skip', lock))
        return work(lock)
      } finally {
        lock.release()
      }
    }
    const result = this.#last.then(run, run)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Reads what is new. At a damaged line: `stop` leaves it, and says false; `skip` goes on behind it. */
  #catchUp(atDamage: 'stop' | 'skip', lock?: HeldLock): boolean {
    // most often there is nothing new, and nobody else of this machine need be kept waiting for that
    const { offset, mark: known } = this.#place()
    const ahead = readLines(this.#options.path, offset ?? 0)
    if (offset !== undefined && ahead.mark === known && ahead.last && ahead.lines.length === 0) return true
    for (;;) {
      const step = this.#sqlite.transaction(() => this.#readOn(atDamage))
      if (step !== 'more') return step === 'done'
      lock?.beatIfDue()
    }
  }

  #readOn(atDamage: 'stop' | 'skip'): 'more' | 'done' | 'damaged' {
    const { from, stretch } = this.#next()
    let read = from
    for (const [at, text] of stretch.lines.entries()) {
      const line = decode(text)
      if (!line && atDamage === 'stop') {
        this.#remember(read)
        return 'damaged'
      }
      if (line) this.#apply(line)
      read = stretch.ends[at] as number
    }
    if (read > from) this.#remember(read)
    return stretch.last ? 'done' : 'more'
  }

  /** What comes next in the log: all of it, when it is not the log that was read so far. */
  #next(): { from: number; stretch: Stretch } {
    const { offset, mark: known } = this.#place()
    const stretch = readLines(this.#options.path, offset ?? 0)
    if (offset !== undefined && stretch.mark === known) return { from: offset, stretch }
    this.#forgetAll()
    return { from: 0, stretch: readLines(this.#options.path, 0) }
  }

  #apply(line: Line): void {
    if (line.change === 'begin') this.#rows.apply({ change: 'epoch', epoch: line.epoch })
    else this.#rows.apply(line)
  }

  /** How far the log was read, and what stood there. */
  #place(): { offset: number | undefined; mark: string } {
    const row = this.#sqlite.row<[number | null, string | null]>(
      "SELECT (SELECT value FROM meta WHERE name='offset'), (SELECT value FROM meta WHERE name='mark')",
    )
    return { offset: row?.[0] ?? undefined, mark: row?.[1] ?? '' }
  }

  #remember(offset: number): void {
    const place = "INSERT OR REPLACE INTO meta VALUES ('offset', ?), ('mark', ?)"
    this.#sqlite.run(place, offset, mark(this.#options.path, offset))
  }

  #forgetAll(): void {
    this.#sqlite.run('DELETE FROM object')
    this.#sqlite.run('DELETE FROM claim')
    this.#rows.apply({ change: 'epoch', epoch: 0 })
    this.#sqlite.run("INSERT OR REPLACE INTO meta VALUES ('offset', 0), ('mark', '')")
  }

  /** A damaged index costs the time to read the log again. */
  #healed<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#sqlite.close()
      removeIndex(this.#options.indexPath)
      this.#sqlite = openIndex(this.#options.indexPath)
      this.#rows = new CatalogRows(this.#sqlite)
      this.#catchUp('skip')
      return work()
    }
  }
}

/** A thousand grants are one line. */
function merge(changes: Line[], change: Change): void {
  const last = changes.at(-1)
  const joins =
    change.change === 'grant' &&
    last?.change === 'grant' &&
    last.holder === change.holder &&
    last.untilMs === change.untilMs
  if (joins) changes.splice(-1, 1, { ...last, claims: [...last.claims, ...change.claims] })
  else changes.push(change)
}

function openIndex(path: string): Sqlite {
  try {
    return tryOpenIndex(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    removeIndex(path)
    return tryOpenIndex(path)
  }
}

function tryOpenIndex(path: string): Sqlite {
  const sqlite = new Sqlite(path, { durability: 'normal', cacheKiB: 2048 })
  try {
    sqlite.migrate(`The index ${path}`, migrations)
    return sqlite
  } catch (error) {
    sqlite.close()
    throw error
  }
}

function removeIndex(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}
