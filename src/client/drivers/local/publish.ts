import { closeSync, linkSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'

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
  /** Learnt from the first link; the run says so when it turns false. */
  hardLinks = true
  readonly #reservations: string

  constructor(systemFolder: string) {
    this.#reservations = join(systemFolder, 'reserved')
  }

  /** @throws `key-taken`; the temporary file is then still there. */
  publish(temp: string, target: string): void {
    if (this.hardLinks) {
      try {
        linkSync(temp, target)
        unlinkSync(temp)
        return
      } catch (error) {
        const code = systemCode(error)
        if (code === 'EEXIST') throw taken(target)
        if (!noHardLinks.has(code ?? '')) throw error
        this.hardLinks = false
      }
    }
    this.#reserveAndRename(temp, target)
  }

  #reserveAndRename(temp: string, target: string): void {
    mkdirSync(this.#reservations, { recursive: true })
    const reservation = join(this.#reservations, createHash('sha256').update(target.toLowerCase()).digest('hex').slice(0, 32))
    reserve(reservation)
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

function reserve(path: string): void {
  try {
    closeSync(openSync(path, 'wx'))
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const age = Date.now() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    if (age < staleReservationMs) {
      throw new LuminaError('destination-busy', `Another process is giving the name ${path}.`, { retry: 'transient', retryAfterMs: 50 })
    }
    rmSync(path, { force: true })
    reserve(path)
  }
}

function taken(target: string): LuminaError {
  return new LuminaError('key-taken', `${target} exists already.`)
}

