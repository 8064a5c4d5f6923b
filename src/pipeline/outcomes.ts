import { reportOf } from '../errors.ts'
import type { Kind, LuminaEvent, SkipReason } from '../events.ts'
import { claimedKind, extensionLies } from '../hash/kinds.ts'
import { countSkip, emptyTally, type Report, type Tally } from './batch.ts'

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
  readonly #detail: boolean
  #lastEnding = ''
  #lastKind: Kind | undefined
  #lastLies = false

  constructor(detail: boolean) {
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

  skipped(found: Found, reason: SkipReason, key?: string): void {
    this.#found(found)
    countSkip(this.tally, reason)
    // an empty file is what a broken card leaves of a picture: always named
    if (this.#detail || reason === 'empty') {
      this.events.push({ event: 'skipped', path: found.path, bytes: found.bytes, reason, ...(key === undefined ? {} : { key }) })
    }
  }

  failed(found: Found, error: unknown): void {
    const { code, message, hint } = reportOf(error)
    this.#found(found)
    this.tally.failed++
    this.events.push({ event: 'failed', path: found.path, bytes: found.bytes, code, message, ...(hint === undefined ? {} : { hint }) })
  }

  hashed(path: string, digest: string): void {
    if (this.#detail) this.events.push({ event: 'hashed', path, digest })
  }

  notice(code: string, message: string): void {
    this.events.push({ event: 'notice', code, message })
  }

  #found({ path, name, bytes, kind }: Found): void {
    this.tally.found++
    this.tally.foundBytes += bytes
    const lies = this.#lies(name, kind)
    if (lies) this.tally.lyingExtensions++
    if (!this.#detail) return
    const claims = lies ? claimedKind(name) : undefined
    this.events.push({ event: 'found', path, bytes, kind, ...(claims === undefined ? {} : { extensionClaims: claims }) })
  }

  /** Neighbours mostly share extension and kind, so the last answer mostly serves again. */
  #lies(name: string, kind: Kind): boolean {
    if (kind.startsWith('inode/')) return false
    if (kind === this.#lastKind && name.endsWith(this.#lastEnding)) return this.#lastLies
    this.#lastKind = kind
    this.#lastEnding = name.slice(name.lastIndexOf('.'))
    this.#lastLies = extensionLies(name, kind === unknownKind ? undefined : kind)
    return this.#lastLies
  }
}

/** What nobody knows the bytes of. */
export const unknownKind = 'application/octet-stream'

