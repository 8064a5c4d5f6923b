import type { Catalog, CatalogEntry, CatalogIdentity, Claim, ClaimAnswer, Key, Probe, Sha256 } from '../destination.ts'
import { Sqlite } from '../../state/sqlite.ts'

/*
 * `object` is clustered by key, since keys come in the order of the walk: a random primary key (the digest) cost 5 to 8 times as
 * much per row at 1M rows. `claim` is small: what is under way now.
 */
const migrations = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
   INSERT INTO meta VALUES ('epoch', 1);
   CREATE TABLE object (key TEXT PRIMARY KEY, digest BLOB NOT NULL, bytes INTEGER NOT NULL, kind TEXT NOT NULL, sidecar INTEGER NOT NULL,
     name TEXT, head TEXT, modified_ms REAL, taken_at TEXT, camera TEXT) WITHOUT ROWID;
   CREATE UNIQUE INDEX object_digest ON object (digest) WHERE sidecar = 0;
   CREATE INDEX object_sidecar ON object (digest) WHERE sidecar = 1;
   CREATE INDEX object_probe ON object (bytes, head) WHERE head IS NOT NULL;
   CREATE TABLE claim (key TEXT PRIMARY KEY, digest BLOB NOT NULL, sidecar INTEGER NOT NULL, holder TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX claim_digest ON claim (digest)`,
] as const

/** How long a claim stands without being renewed, where nothing else tells whether its holder lives. */
const leaseMs = 60_000
const entriesPage = 1000

export interface SqliteCatalogOptions {
  /** A file, or `:memory:`. */
  path: string
  /** What this catalog is, for ever. */
  id: string
  /** Who claims. One holder is one run: what it left behind when it died is freed when it comes back. */
  holder: string
  /** Whether the process behind another holder lives; `undefined`: unknown, so its lease decides. */
  holderAlive?: (holder: string) => boolean | undefined
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

type ObjectRow = [string, Uint8Array, number, string, number, string | null, string | null, number | null, string | null, string | null]

/** A catalog in one SQLite file: for a library on a local disk, shared by the processes of one machine. */
export function sqliteCatalog(options: SqliteCatalogOptions): SqliteCatalog {
  const now = options.nowMs ?? Date.now
  const sqlite = new Sqlite(options.path, { durability: 'normal', cacheKiB: 2048, readOnly: options.readOnly ?? false })
  try {
    sqlite.migrate(`The catalog ${options.path}`, migrations)
  } catch (error) {
    sqlite.close()
    throw error
  }

  return {
    async identity(): Promise<CatalogIdentity> {
      return { id: options.id, epoch: epoch(sqlite) }
    },
    async known(digests) {
      return known(sqlite, digests)
    },
    async located(digests) {
      return located(sqlite, digests)
    },
    async resembling(probes) {
      return probes.map((probe) => resembles(sqlite, probe))
    },
    async claim(wants) {
      return sqlite.transaction(() => wants.map((want) => claimOne(sqlite, want, options, now())))
    },
    async renew() {
      sqlite.run('UPDATE claim SET until_ms=? WHERE holder=?', now() + leaseMs, options.holder)
    },
    async release(claims) {
      sqlite.transaction(() => {
        for (const claim of claims) {
          sqlite.run('DELETE FROM claim WHERE key=? AND digest=? AND holder=?', claim.key, blob(claim.digest), options.holder)
        }
      })
    },
    async record(entries) {
      // only this must outlive a power cut: a lost claim costs nothing, a lost record would be an upload acknowledged for nothing
      sqlite.db.exec('PRAGMA synchronous=FULL')
      try {
        sqlite.transaction(() => {
          for (const entry of entries) recordOne(sqlite, entry)
        })
      } finally {
        sqlite.db.exec('PRAGMA synchronous=NORMAL')
      }
    },
    async forget(keys) {
      if (keys.length === 0) return
      sqlite.transaction(() => {
        for (const key of keys) sqlite.run('DELETE FROM object WHERE key=?', key)
        sqlite.run("UPDATE meta SET value = value + 1 WHERE name='epoch'")
      })
    },
    async *entries() {
      for (let after = ''; ; ) {
        const page = sqlite.rows<ObjectRow>('SELECT * FROM object WHERE key > ? ORDER BY key LIMIT ?', after, entriesPage)
        for (const row of page) yield entryOf(row)
        const last = page.at(-1)
        if (!last) return
        after = last[0]
      }
    },
    async close() {
      sqlite.close()
    },
    releaseOwn() {
      sqlite.run('DELETE FROM claim WHERE holder=?', options.holder)
    },
    startEpoch(value) {
      sqlite.run("UPDATE meta SET value=? WHERE name='epoch'", value)
    },
  }
}

function epoch(sqlite: Sqlite): number {
  return Number(sqlite.row<[number]>("SELECT value FROM meta WHERE name='epoch'")?.[0])
}

function known(sqlite: Sqlite, digests: readonly Sha256[]): Map<Sha256, Key> {
  const found = new Map<Sha256, Key>()
  for (const digest of digests) {
    const key = keyOf(sqlite, digest)
    if (key !== undefined) found.set(digest, key)
  }
  return found
}

function located(sqlite: Sqlite, digests: readonly Sha256[]): Map<Sha256, Key> {
  const found = known(sqlite, digests)
  for (const digest of digests) {
    const key = found.get(digest) ?? sqlite.row<[string]>('SELECT key FROM object WHERE sidecar=1 AND digest=?', blob(digest))?.[0]
    if (key !== undefined) found.set(digest, key)
  }
  return found
}

function keyOf(sqlite: Sqlite, digest: Sha256): Key | undefined {
  return sqlite.row<[string]>('SELECT key FROM object WHERE digest=? AND sidecar=0', blob(digest))?.[0]
}

function resembles(sqlite: Sqlite, probe: Probe): boolean {
  return sqlite.row('SELECT 1 FROM object WHERE bytes=? AND head=? AND head IS NOT NULL', probe.bytes, probe.head) !== undefined
}

function claimOne(sqlite: Sqlite, want: Claim, options: SqliteCatalogOptions, nowMs: number): ClaimAnswer {
  const digest = blob(want.digest)
  const stored = want.sidecar ? undefined : keyOf(sqlite, want.digest)
  if (stored !== undefined) return { answer: 'known', key: stored }

  const there = sqlite.row<[Uint8Array]>('SELECT digest FROM object WHERE key=?', want.key)
  if (there) return same(there[0], digest) ? { answer: 'known', key: want.key } : { answer: 'key-taken' }

  const rivals = sqlite.rows<[string, Uint8Array, string, number]>(
    'SELECT key, digest, holder, until_ms FROM claim WHERE key=? UNION ALL SELECT key, digest, holder, until_ms FROM claim WHERE digest=? AND key<>? AND NOT ?',
    want.key,
    digest,
    want.key,
    want.sidecar ? 1 : 0,
  )
  for (const [key, theirs, holder, untilMs] of rivals) {
    const alive = holder === options.holder || options.holderAlive?.(holder)
    if (alive === false) {
      sqlite.run('DELETE FROM claim WHERE holder=?', holder)
      continue
    }
    // a holder that may still live may still publish: its key goes to no other content, even after its lease
    if (!same(theirs, digest)) return { answer: 'key-taken' }
    if (alive === true || untilMs > nowMs) return { answer: 'held', untilMs }
    sqlite.run('UPDATE claim SET until_ms=0 WHERE key=?', key)
  }
  sqlite.run('INSERT OR REPLACE INTO claim VALUES (?,?,?,?,?)', want.key, digest, want.sidecar ? 1 : 0, options.holder, nowMs + leaseMs)
  return { answer: 'granted' }
}

function recordOne(sqlite: Sqlite, entry: CatalogEntry): void {
  const digest = blob(entry.digest)
  sqlite.run(
    // a content that another process recorded first keeps its key; this copy is one too many, and harmless
    'INSERT OR IGNORE INTO object VALUES (?,?,?,?,?,?,?,?,?,?)',
    entry.key,
    digest,
    entry.bytes,
    entry.kind,
    entry.sidecar ? 1 : 0,
    entry.name,
    entry.head ?? null,
    entry.modifiedMs ?? null,
    entry.takenAt ?? null,
    entry.camera ?? null,
  )
  if (entry.sidecar) sqlite.run('DELETE FROM claim WHERE key=?', entry.key)
  else sqlite.run('DELETE FROM claim WHERE digest=? AND sidecar=0', digest)
}

function entryOf([key, digest, bytes, kind, sidecar, name, head, modifiedMs, takenAt, camera]: ObjectRow): CatalogEntry {
  return {
    key,
    digest: Buffer.from(digest).toString('hex'),
    bytes,
    kind,
    sidecar: sidecar === 1,
    name: name ?? key,
    ...(head === null ? {} : { head }),
    ...(modifiedMs === null ? {} : { modifiedMs }),
    ...(takenAt === null ? {} : { takenAt }),
    ...(camera === null ? {} : { camera }),
  }
}

function blob(digest: Sha256): Buffer {
  return Buffer.from(digest, 'hex')
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
