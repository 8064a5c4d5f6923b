import { closeSync, linkSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

import { LuminaError, systemCode } from '../../../errors.ts'

/** What `link` answers where there are no hard links: exFAT and FAT, many FUSE and SMB mounts. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL'])

/**
 * Gives a finished temporary file its name, and never over an existing one.
 *
 * `link` fails atomically on a taken name, whoever took it. Where there are no hard links, the key is reserved in a folder
 * that all Lumina processes look at, then looked up and renamed: that guards against other Luminas, not against other programs.
 */
export class Publisher {
  readonly #reservations: string
  readonly #onNoHardLinks: () => void
  /** Learnt from the first link. */
  #hardLinks = true

  /** `onNoHardLinks` is told once, when the first link is refused. */
  constructor(systemFolder: string, onNoHardLinks: () => void) {
    this.#reservations = join(systemFolder, 'reserved')
    this.#onNoHardLinks = onNoHardLinks
  }

  /** @throws `key-taken`; the temporary file is then still there. */
  async publish(temp: string, target: string): Promise<void> {
    if (!this.link(temp, target)) await this.#reserveAndRename(temp, target)
  }

  /** `publish` where there are hard links, false where there are none. */
  link(temp: string, target: string): boolean {
    if (!this.#hardLinks) return false
    try {
      linkSync(temp, target)
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EEXIST') throw taken(target)
      if (!noHardLinks.has(code ?? '')) throw error
      this.#hardLinks = false
      this.#onNoHardLinks()
      return false
    }
    unlinkSync(temp)
    return true
  }

  async #reserveAndRename(temp: string, target: string): Promise<void> {
    mkdirSync(this.#reservations, { recursive: true })
    const reservation = join(
      this.#reservations,
      createHash('sha256').update(target.toLowerCase()).digest('hex').slice(0, 32),
    )
    await reserve(reservation)
    try {
      if (lstatSync(target, { throwIfNoEntry: false })) throw taken(target)
      renameSync(temp, target)
    } finally {
      rmSync(reservation, { force: true })
    }
  }
}

/** A reservation lasts for two system calls: one that is this old belongs to a process that died between them. */
const staleReservationMs = 60_000
/** Longer than two system calls take on a slow stick, shorter than anybody notices. */
const reservedPauseMs = 20
const reservedPauses = 100

async function reserve(path: string): Promise<void> {
  for (let pauses = 0; !tryReserve(path); pauses++) {
    if (pauses === reservedPauses) {
      throw new LuminaError('destination-busy', `Another process is giving the name ${path}.`, { retry: 'transient' })
    }
    await setTimeout(reservedPauseMs)
  }
}

function tryReserve(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'))
    return true
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const made = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (made !== undefined && Date.now() - made >= staleReservationMs) rmSync(path, { force: true })
    return false
  }
}

function taken(target: string): LuminaError {
  return new LuminaError('key-taken', `${target} exists already.`)
}
