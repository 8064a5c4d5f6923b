import { asText, fromText } from '../../os-path.ts'
import type { Sqlite } from '../../state/sqlite.ts'
import type { CatalogEntry, Claim, ClaimAnswer, Key, Probe, Sha256 } from '../destination.ts'

/*
 * `object` is clustered by key, since keys come in the order of the walk: a random primary key (the digest) cost 5 to 8 times as
 * much per row at 1M rows. `claim` is small: what is under way now.
 */
export const migrations = [
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
export const leaseMs = 60_000
const entriesPage = 1000

/** Everything that can happen to a catalog. What was decided, not what was asked for: applied anywhere in this order, it gives the same. */
export type Change =
  | { change: 'grant'; holder: string; untilMs: number; claims: readonly Claim[] }
  | { change: 'renew'; holder: string; untilMs: number }
  | { change: 'release'; holder: string; claims: readonly Claim[] }
  /** A holder is gone for good, and can publish nothing any more. */
  | { change: 'free'; holder: string }
  | { change: 'record'; holder: string; entries: readonly CatalogEntry[] }
  | { change: 'forget'; keys: readonly Key[] }
  | { change: 'epoch'; epoch: number }

/** Who asks, and what is known of the others. */
export interface Claimant {
  holder: string
  /** Whether the process behind another holder lives; `undefined`: unknown, so its lease decides. */
  holderAlive?: (holder: string) => boolean | undefined
}

type ObjectRow = [
  string,
  Uint8Array,
  number,
  string,
  number,
  string | null,
  string | null,
  number | null,
  string | null,
  string | null,
]
type InTheWay = [what: 'content' | 'key' | 'claim', key: Key, digest: Uint8Array, holder: string, untilMs: number]

/** The rows of a catalog in SQLite, whoever else has a copy of them. Callers bring the transactions. */
export class CatalogRows {
  readonly #sqlite: Sqlite

  constructor(sqlite: Sqlite) {
    this.#sqlite = sqlite
  }

  epoch(): number {
    return Number(this.#sqlite.row<[number]>("SELECT value FROM meta WHERE name='epoch'")?.[0])
  }

  known(digests: readonly Sha256[]): Map<Sha256, Key> {
    const found = new Map<Sha256, Key>()
    for (const digest of digests) {
      const key = this.#keyOf(digest)
      if (key !== undefined) found.set(digest, key)
    }
    return found
  }

  located(digests: readonly Sha256[]): Map<Sha256, Key> {
    const found = this.known(digests)
    const sql = 'SELECT key FROM object WHERE sidecar=1 AND digest=?'
    for (const digest of digests) {
      const key = found.get(digest) ?? this.#sqlite.row<[string]>(sql, blob(digest))?.[0]
      if (key !== undefined) found.set(digest, key)
    }
    return found
  }

  #keyOf(digest: Sha256): Key | undefined {
    return this.#sqlite.row<[string]>('SELECT key FROM object WHERE digest=? AND sidecar=0', blob(digest))?.[0]
  }

  resembling({ bytes, head }: Probe): boolean {
    const sql = 'SELECT 1 FROM object WHERE bytes=? AND head=? AND head IS NOT NULL'
    return this.#sqlite.row(sql, bytes, head) !== undefined
  }

  /** The entries after a key, in key order: one page of them. */
  page(after: Key): CatalogEntry[] {
    const sql = 'SELECT * FROM object WHERE key > ? ORDER BY key LIMIT ?'
    return this.#sqlite.rows<ObjectRow>(sql, after, entriesPage).map(entryOf)
  }

  /** Whether there is anything that a lease of this holder keeps. */
  holds(holder: string): boolean {
    return this.#sqlite.row('SELECT 1 FROM claim WHERE holder=? LIMIT 1', holder) !== undefined
  }

  /** Decides on a wish and, where it is granted, applies that; `made` is told each change. */
  claim(want: Claim, who: Claimant, nowMs: number, made: (change: Change) => void): ClaimAnswer {
    const make = (change: Change): void => {
      this.apply(change)
      made(change)
    }
    const digest = blob(want.digest)
    for (const [what, key, theirs, holder, untilMs] of this.#inTheWay(want, digest)) {
      if (what === 'content') return { answer: 'known', key }
      if (what === 'key') return same(theirs, digest) ? { answer: 'known', key } : { answer: 'key-taken' }
      const alive = holder === who.holder || who.holderAlive?.(holder)
      if (alive === false) {
        make({ change: 'free', holder })
        continue
      }
      // a holder that may still live may still publish: its key goes to no other content, even after its lease
      if (!same(theirs, digest)) return { answer: 'key-taken' }
      if (alive === true || untilMs > nowMs) return { answer: 'held', untilMs, own: holder === who.holder }
    }
    make({ change: 'grant', holder: who.holder, untilMs: nowMs + leaseMs, claims: [want] })
    return { answer: 'granted' }
  }

  /** Everything that speaks to a wish, what decides first: mostly nothing, which one statement tells sooner than four. */
  #inTheWay({ key, sidecar }: Claim, digest: Uint8Array): InTheWay[] {
    const sql = `SELECT 'content', key, digest, '', 0 FROM object WHERE digest=?1 AND sidecar=0 AND ?3=0
      UNION ALL SELECT 'key', key, digest, '', 0 FROM object WHERE key=?2
      UNION ALL SELECT 'claim', key, digest, holder, until_ms FROM claim WHERE key=?2
      UNION ALL SELECT 'claim', key, digest, holder, until_ms FROM claim WHERE digest=?1 AND key<>?2 AND sidecar=0 AND ?3=0`
    return this.#sqlite.rows<InTheWay>(sql, digest, key, sidecar ? 1 : 0)
  }

  apply(change: Change): void {
    const sqlite = this.#sqlite
    switch (change.change) {
      case 'grant':
        for (const { key, digest, sidecar } of change.claims) {
          const values = [key, blob(digest), sidecar ? 1 : 0, change.holder, change.untilMs]
          sqlite.run('INSERT OR REPLACE INTO claim VALUES (?,?,?,?,?)', ...values)
        }
        return
      case 'renew':
        return sqlite.run('UPDATE claim SET until_ms=? WHERE holder=?', change.untilMs, change.holder)
      case 'release':
        for (const { key, digest } of change.claims) {
          sqlite.run('DELETE FROM claim WHERE key=? AND digest=? AND holder=?', key, blob(digest), change.holder)
        }
        return
      case 'free':
        return sqlite.run('DELETE FROM claim WHERE holder=?', change.holder)
      case 'record':
        for (const entry of change.entries) this.#record(entry, change.holder)
        return
      case 'forget':
        for (const key of change.keys) sqlite.run('DELETE FROM object WHERE key=?', key)
        return sqlite.run("UPDATE meta SET value = value + 1 WHERE name='epoch'")
      case 'epoch':
        return sqlite.run("UPDATE meta SET value=? WHERE name='epoch'", change.epoch)
    }
  }

  #record(entry: CatalogEntry, holder: string): void {
    const sqlite = this.#sqlite
    const digest = blob(entry.digest)
    sqlite.run(
      // a content that another process recorded first keeps its key; this copy is one too many, and harmless
      'INSERT OR IGNORE INTO object VALUES (?,?,?,?,?,?,?,?,?,?)',
      entry.key,
      digest,
      entry.bytes,
      entry.kind,
      entry.sidecar ? 1 : 0,
      asText(entry.name),
      entry.head ?? null,
      entry.modifiedMs ?? null,
      entry.takenAt ?? null,
      entry.camera ?? null,
    )
    sqlite.run('DELETE FROM claim WHERE key=? AND digest=?', entry.key, digest)
    // what another holder was granted for this content stays its own: it may yet publish there
    if (!entry.sidecar) sqlite.run('DELETE FROM claim WHERE digest=? AND holder=? AND sidecar=0', digest, holder)
  }
}

function entryOf([
  key,
  digest,
  bytes,
  kind,
  sidecar,
  name,
  head,
  modifiedMs,
  takenAt,
  camera,
]: ObjectRow): CatalogEntry {
  return {
    key,
    digest: Buffer.from(digest).toString('hex'),
    bytes,
    kind,
    sidecar: sidecar === 1,
    name: name === null ? key : fromText(name),
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
