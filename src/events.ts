import type { ErrorCode } from './errors.ts'

/** What an asset's bytes say it is (`image/jpeg`, `image/x-canon-cr2`, ...); `inode/*` for what is no regular file. */
export type Kind = string

/** Why an asset was not sent although nothing failed. */
export type SkipReason =
  | 'already-there' // its content is stored at the destination, under `key`
  | 'not-a-photo'
  | 'empty'
  | 'special-file' // FIFO, socket, device
  | 'symlink'
  | 'excluded-by-date' // its capture date lies outside --taken-since/--taken-until
  | 'collision' // --on-collision skip
  | 'limit'
  | 'interrupted'

/** Why a source file must not be wiped. */
export type NotStoredReason =
  | 'unknown' // its content is in no catalog entry
  | 'missing' // the catalog has it, the destination has not
  | 'rotten' // what is stored under its key is another content
  | 'unreadable'
  | Exclude<SkipReason, 'already-there' | 'collision'>

export interface Totals {
  found: number
  /** Uploaded, verified or indexed, as the command has it. */
  uploaded: number
  skipped: number
  failed: number
  /** Bytes of all assets found so far. */
  foundBytes: number
  /** Bytes that the destination has confirmed in this run. */
  uploadedBytes: number
}

export interface FoundEvent {
  event: 'found'
  path: string
  bytes: number
  kind: Kind
  /** What the extension claims, where the bytes say something else. */
  extensionClaims?: Kind
}
export interface HashedEvent {
  event: 'hashed'
  path: string
  digest: string
}
export interface SkippedEvent {
  event: 'skipped'
  path: string
  bytes: number
  reason: SkipReason
  key?: string
}
export interface UploadedEvent {
  event: 'uploaded'
  path: string
  key: string
  digest: string
  bytes: number
  kind: Kind
  /** `--dry-run`: it would have been. */
  dryRun?: true
}
export interface FailedEvent {
  event: 'failed'
  path: string
  bytes: number
  code: ErrorCode
  message: string
  hint?: string
}
export interface RetryingEvent {
  event: 'retrying'
  path: string
  /** The try that comes next, counted from 2. */
  attempt: number
  delayMs: number
  code: ErrorCode
  message: string
}
/** Something that a person should know and that is no asset's outcome. */
export interface NoticeEvent {
  event: 'notice'
  code: string
  message: string
}
export interface ProgressEvent extends Totals {
  event: 'progress'
  /** Bytes on their way, of assets that are not finished yet. */
  inFlightBytes: number
  /** The walk is over, so that `found` and `foundBytes` are final. */
  walked: boolean
  /** One of the files on their way. */
  current?: string
  retries: number
  seconds: number
}
export interface SummaryEvent {
  event: 'summary'
  found: number
  uploaded: number
  skipped: number
  failed: number
  /** Bytes uploaded. */
  bytes: number
  seconds: number
  skippedBy: Partial<Record<SkipReason, number>>
  failedBy: Partial<Record<ErrorCode, number>>
  retries: number
  /** Files whose extension says something else than their bytes. */
  lyingExtensions: number
  /** Files whose layout date had to come from mtime, since nothing inside or beside them told one. */
  datedByMtime: number
  dryRun: boolean
  /** Why the run ended before everything found was looked at. */
  ended?: 'interrupted' | 'limit' | 'error'
  destination: string
  /** The command that checks, before a card is wiped, that every byte of it is stored. */
  verify: string
}

/** `lumina verify`: this very content is stored under `key`. */
export interface VerifiedEvent {
  event: 'verified'
  path: string
  key: string
  digest: string
  bytes: number
}
/** `lumina verify`: this file is not stored, or not to be proved stored. */
export interface NotStoredEvent {
  event: 'not-stored'
  path: string
  bytes: number
  reason: NotStoredReason
  /** Where it should be. */
  key?: string
  message?: string
}
export interface VerifySummaryEvent {
  event: 'verify-summary'
  found: number
  verified: number
  notStored: number
  notStoredBy: Partial<Record<NotStoredReason, number>>
  bytes: number
  seconds: number
  /** The stored bytes were not read again. */
  quick: boolean
  safeToWipe: boolean
  destination: string
  ended?: 'interrupted' | 'limit' | 'error'
}
/** `lumina index`: an object that was there before is in the catalog now. */
export interface IndexedEvent {
  event: 'indexed'
  path: string
  key: string
  digest: string
  bytes: number
  kind: Kind
}
export interface IndexSummaryEvent {
  event: 'index-summary'
  found: number
  indexed: number
  skipped: number
  failed: number
  bytes: number
  seconds: number
  skippedBy: Partial<Record<SkipReason, number>>
  destination: string
  ended?: 'interrupted' | 'limit' | 'error'
}

/** Everything that a run tells. Reporters consume these and nothing else; `docs/events.md` is their public contract. */
export type LuminaEvent =
  | FoundEvent
  | HashedEvent
  | SkippedEvent
  | UploadedEvent
  | FailedEvent
  | RetryingEvent
  | NoticeEvent
  | ProgressEvent
  | SummaryEvent
  | VerifiedEvent
  | NotStoredEvent
  | VerifySummaryEvent
  | IndexedEvent
  | IndexSummaryEvent

export type Emit = (event: LuminaEvent) => void

/** A consumer of events. `wants: 'totals'` lets the lanes keep `found`, `hashed`, `skipped` and `uploaded` to themselves. */
export interface Reporter {
  readonly wants: 'each' | 'totals'
  event(event: LuminaEvent): void
  /** Leaves the terminal as it was; called once, also when the run threw. */
  close(): void
}
