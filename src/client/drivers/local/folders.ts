import { closeSync, fsync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

import { systemCode } from '../../../errors.ts'

/** Folders remembered as made; beyond it, asking again costs one failed mkdir. */
const rememberedFolders = 4096

/**
 * Makes the folders of keys, and makes names in them durable: transfers that end together share one fsync of their folder.
 */
export class Folders {
  readonly #made = new Set<string>()
  readonly #waiting = new Map<string, Promise<void>>()
  readonly #durable: boolean

  constructor(durable: boolean) {
    // Windows can't open a folder to flush it, and NTFS journals names by itself
    this.#durable = durable && process.platform !== 'win32'
  }

  /** Makes `folder`, and returns the folders whose names must be durable besides. */
  make(folder: string): string[] {
    if (this.#made.has(folder)) return []
    const first = mkdirSync(folder, { recursive: true })
    if (this.#made.size >= rememberedFolders) this.#made.clear()
    this.#made.add(folder)
    return first === undefined ? [] : parents(folder, dirname(first))
  }

  forget(folder: string): void {
    this.#made.delete(folder)
  }

  /** Resolves once every name that stood in `folder` when it was called survives a power cut. */
  sync(folder: string): Promise<void> | undefined {
    if (!this.#durable) return undefined
    const waiting = this.#waiting.get(folder)
    if (waiting) return waiting
    const synced = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#waiting.delete(folder)
        syncFolder(folder, (error) => (error ? reject(error) : resolve()))
      })
    })
    this.#waiting.set(folder, synced)
    return synced
  }
}

function parents(folder: string, last: string): string[] {
  const found: string[] = []
  for (let at = dirname(folder); ; at = dirname(at)) {
    found.push(at)
    if (at === last || at === dirname(at)) return found
  }
}

function syncFolder(folder: string, done: (error: Error | null) => void): void {
  const fd = openSync(folder, 'r')
  fsync(fd, (error) => {
    closeSync(fd)
    // some file systems refuse to flush a folder; there is nothing more to be had from them
    done(error && !['EINVAL', 'ENOTSUP', 'EBADF'].includes(systemCode(error) ?? '') ? error : null)
  })
}
