import type { Kind } from '../events.ts'

/** SHA-256 of a content, 64 lower-case hex digits. */
export type Sha256 = string
/** A name at a destination: `/`-separated segments, never absolute, never `.` or `..`. */
export type Key = string

export interface StoredObject {
  key: Key
  bytes: number
  /** Where the destination can tell it without reading the content. */
  digest?: Sha256
  modifiedMs?: number
}

/**
 * Bytes that can be read again from any offset, into the caller's own buffer, so that a retry never buffers.
 * `read` fills `into` from `offset` and returns how many bytes it gave: 0 only at the end.
 */
export interface Source {
  readonly bytes: number
  readonly digest?: Sha256
  readonly kind: Kind
  /** Kept by destinations that have a place for it. */
  readonly modifiedMs?: number
  /** Its name where it came from, and when it was taken: notes, for destinations that keep some. */
  readonly name?: string
  readonly takenAt?: string
  read(into: Uint8Array, offset: number): number | Promise<number>
}

export interface CallContext {
  /** Aborted when the run ends now; every wait takes it. */
  readonly signal: AbortSignal
  /** Throws `interrupted` once the run was told to stop; cheap enough to ask for each chunk, also inside sync loops. */
  checkpoint(): void
  /** How many of the transfer's bytes the destination has taken so far (a total, not a delta). */
  progress?(sentBytes: number): void
  /** Told before a layer waits and asks again. */
  retrying?(attempt: number, delayMs: number, error: unknown): void
}

export interface KeyRules {
  /** The longest segment, in UTF-8 bytes. */
  readonly maxSegmentBytes: number
  readonly maxKeyBytes: number
  /** Characters that are percent-encoded, beside those that no key may hold (`keys.ts`). */
  readonly forbidden?: RegExp
  /** Only ASCII survives: everything else is percent-encoded. */
  readonly asciiOnly?: boolean
}

export interface Traits {
  /** `put` and `finish` onto an existing key fail with `key-taken`, whoever else writes at the same time. */
  readonly atomicNoClobber: boolean
  /** A resumable transfer is given its key by `finish`, so that its digest need not be known before its first byte. */
  readonly keyAtFinish: boolean
  readonly maxObjectBytes: number
  readonly checksum: 'sha256' | 'md5' | 'none'
  readonly keyRules: KeyRules
}

/** Plain JSON that finds a begun transfer again, in another process and on another day. */
export type ResumeToken = { readonly [field: string]: string | number }

export interface Resumable {
  /** Below this, a transfer is not worth a token. */
  readonly minBytes: number
  begin(key: Key, source: Source, ctx: CallContext): Promise<ResumeToken>
  /**
   * How many bytes the destination durably holds; `undefined` when it has forgotten the transfer.
   * It may read `source` to compare what it holds: bytes that differ don't count.
   */
  offset(token: ResumeToken, source: Source, ctx: CallContext): Promise<number | undefined>
  /** Sends from `offset` to the end; returns what the destination then holds, which is all that counts. */
  append(token: ResumeToken, source: Source, offset: number, ctx: CallContext): Promise<number>
  /** Publishes under `key`; `key-taken` leaves the transfer as it was, to be finished under another. */
  finish(token: ResumeToken, key: Key, source: Source, ctx: CallContext): Promise<StoredObject>
  abort(token: ResumeToken, ctx: CallContext): Promise<void>
}

/** Where bytes go. An absent optional means unsupported. Drivers classify errors; layers act on them. */
export interface Destination {
  /** For messages; never holds a secret. */
  readonly name: string
  readonly traits: Traits
  stat(key: Key, ctx: CallContext): Promise<StoredObject | undefined>
  /** Whole or nothing; `key-taken` when the key exists, `changed-while-reading` when the bytes are not `source.digest`. */
  put(key: Key, source: Source, ctx: CallContext): Promise<StoredObject>
  /**
   * `put` of a content in memory, there and then: for destinations where that takes no wait. A thousand small files a second are
   * promises by the ten thousand otherwise. After a transient failure, `put` is to be asked, which has layers around it.
   */
  putHeld?(key: Key, content: Uint8Array, modifiedMs: number): StoredObject
  /** The stored content from `from` on, in chunks that are valid until the next is asked for; `not-found` when there is none. */
  get?(key: Key, from: number, ctx: CallContext): AsyncIterable<Uint8Array>
  move?(from: Key, to: Key, ctx: CallContext): Promise<void>
  list?(prefix: Key, ctx: CallContext): AsyncIterable<StoredObject>
  remove?(key: Key, ctx: CallContext): Promise<void>
  /** Bytes that may still be stored, with `reservedBytes` of this process's transfers in flight taken off. */
  freeBytes?(ctx: CallContext): Promise<number>
  readonly resumable?: Resumable
  close?(): Promise<void>
}

export type Layer = (inner: Destination) => Destination

/** What a catalog is, and the state of its memory: what was learnt of another pair is worth nothing. */
export interface CatalogIdentity {
  id: string
  epoch: number
}

/** A wish to store `digest` under `key`. A sidecar belongs to its photo: only its key is unique, not its digest. */
export interface Claim {
  digest: Sha256
  key: Key
  sidecar: boolean
}

export type ClaimAnswer =
  | { answer: 'granted' }
  /** The content is stored already. */
  | { answer: 'known'; key: Key }
  /** The key belongs, or is promised, to another content. */
  | { answer: 'key-taken' }
  /** Another transfer of this content is under way; its lease ends at `untilMs` of the catalog's clock. */
  | { answer: 'held'; untilMs: number; /** By this same run: it is told with the other. */ own: boolean }

/** What the first bytes of a content look like: enough to tell that nothing like it is known, cheaper than a digest. */
export interface Probe {
  bytes: number
  /** The first 16 hex digits of the SHA-256 of its first 4096 bytes. */
  head: string
}

export interface CatalogEntry {
  key: Key
  digest: Sha256
  bytes: number
  kind: Kind
  sidecar: boolean
  /** Its name at the source, before it was made safe. */
  name: string
  head?: string
  modifiedMs?: number
  takenAt?: string
  camera?: string
}

/** What a destination knows of stored contents: digest → key. All calls take batches, and answer in the order asked. */
export interface Catalog {
  identity(): Promise<CatalogIdentity>
  known(digests: readonly Sha256[]): Promise<Map<Sha256, Key>>
  /** Like `known`, and it knows sidecars too: under one of the keys that hold such a content. */
  located(digests: readonly Sha256[]): Promise<Map<Sha256, Key>>
  /** For each probe, whether a content like it may be known; `false` is certain. */
  resembling?(probes: readonly Probe[]): Promise<boolean[]>
  claim(wants: readonly Claim[]): Promise<ClaimAnswer[]>
  /** Extends every lease of this holder. */
  renew(): Promise<void>
  release(claims: readonly Claim[]): Promise<void>
  /** Makes contents known and frees their claims, durably: when it returns, a power cut does not undo it. */
  record(entries: readonly CatalogEntry[]): Promise<void>
  /** Drops what turned out to be missing or rotten, and starts a new epoch. */
  forget(keys: readonly Key[]): Promise<void>
  /** All entries in key order. */
  entries(): AsyncIterable<CatalogEntry>
  close(): Promise<void>
}
