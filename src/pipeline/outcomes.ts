import { reportOf } from '../errors.ts'
import type { Kind, LuminaEvent, NotStoredReason, SkipReason } from '../events.ts'
import { claimedKind, extensionLies } from '../hash/kinds.ts'
import { count, emptyTally, type Report, type Tally } from './batch.ts'
import type { Task } from './options.ts'

/** An asset that was found: `kind` once its bytes were looked at. */
export interface Found {
  path: string
  name: string
  bytes: number
  kind: Kind
}

/**
 * Counts what became of assets, and keeps an event for each that somebody wants to hear of: all of them with `detail`, else only
 * failures and what a person must know of by name. Each method is called once an asset: found = uploaded + skipped + failed.
 */
export class Outcomes implements Report {
  readonly tally: Tally = emptyTally()
  readonly events: LuminaEvent[] = []
  readonly #task: Task
  readonly #detail: boolean
  #lastEnding: string | undefined
  #lastKind: Kind | undefined
  #lastLies = false

  constructor({ task, detail }: { task: Task; detail: boolean }) {
    this.#task = task
    this.#detail = detail
  }

  uploaded(found: Found, key: string, digest: string, dryRun: boolean): void {
    this.#found(found)
    this.tally.uploaded++
    this.tally.uploadedBytes += found.bytes
    if (this.#detail) {
      const { path, bytes, kind } = found
      this.events.push({ event: 'uploaded', path, key, digest, bytes, kind, ...(dryRun ? { dryRun } : {}) })
    }
  }

  indexed(found: Found, key: string, digest: string): void {
    this.#found(found)
    this.tally.uploaded++
    this.tally.uploadedBytes += found.bytes
    const { path, bytes, kind } = found
    if (this.#detail) this.events.push({ event: 'indexed', path, key, digest, bytes, kind })
  }

  verified({ path, bytes }: Found, key: string, digest: string): void {
    this.tally.found++
    this.tally.foundBytes += bytes
    this.tally.uploaded++
    this.tally.uploadedBytes += bytes
    if (this.#detail) this.events.push({ event: 'verified', path, key, digest, bytes })
  }

  /** Each is named: it is what stands between a person and an empty card. */
  notStored({ path, bytes }: Found, reason: NotStoredReason, more: { key?: string; message?: string } = {}): void {
    this.tally.found++
    this.tally.foundBytes += bytes
    count(this.tally.notStored, reason)
    this.events.push({ event: 'not-stored', path, bytes, reason, ...more })
  }

  /** What is skipped is not stored, to `verify`. */
  skipped(found: Found, reason: SkipReason, key?: string): void {
    if (this.#task === 'verify') return this.notStored(found, reason as NotStoredReason)
    // a file whose turn never came has shown nothing of what it is
    this.#found(found, (reason !== 'interrupted' && reason !== 'limit') || found.kind !== unknownKind)
    count(this.tally.skipped, reason)
    // an empty file is what a broken card leaves of a picture: always named
    if (this.#detail || reason === 'empty') {
      this.events.push({
        event: 'skipped',
        path: found.path,
        bytes: found.bytes,
        reason,
        ...(key === undefined ? {} : { key }),
      })
    }
  }

  failed(found: Found, error: unknown): void {
    const { code, message, hint } = reportOf(error)
    if (this.#task === 'verify') return this.notStored(found, 'unreadable', { message })
    this.#found(found, found.kind !== unknownKind)
    this.tally.failed++
    this.events.push({
      event: 'failed',
      path: found.path,
      bytes: found.bytes,
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  hashed(path: string, digest: string): void {
    if (this.#detail) this.events.push({ event: 'hashed', path, digest })
  }

  notice(code: string, message: string): void {
    this.events.push({ event: 'notice', code, message })
  }

  #found({ path, name, bytes, kind }: Found, looked = true): void {
    this.tally.found++
    this.tally.foundBytes += bytes
    const lies = looked && this.#lies(name, kind)
    if (lies) this.tally.lyingExtensions++
    if (!this.#detail) return
    const claims = lies ? claimedKind(name) : undefined
    this.events.push({
      event: 'found',
      path,
      bytes,
      kind,
      ...(claims === undefined ? {} : { extensionClaims: claims }),
    })
  }

  /** Neighbours mostly share extension and kind, so the last answer mostly serves again. */
  #lies(name: string, kind: Kind): boolean {
    if (kind.startsWith('inode/')) return false
    const dot = name.lastIndexOf('.')
    // only what follows a stem is an extension, and may speak for another name
    const ending = dot > 0 ? name.slice(dot) : undefined
    if (ending !== undefined && kind === this.#lastKind && ending === this.#lastEnding) return this.#lastLies
    this.#lastKind = kind
    this.#lastEnding = ending
    this.#lastLies = extensionLies(name, kind === unknownKind ? undefined : kind)
    return this.#lastLies
  }
}

/** What nobody knows the bytes of. */
export const unknownKind = 'application/octet-stream'
