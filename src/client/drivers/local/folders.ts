import { closeSync, fsync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

import { systemCode } from '../../../errors.ts'
import { makeFolders } from './make-folders.ts'

/** Folders remembered as made; beyond it, asking again costs one failed mkdir. */
const rememberedFolders = 4096

/**
 * Makes the folders of keys, and makes names in them durable: transfers that end together share one fsync of their folder.
 */
export class Folders {
  readonly #root: string
  readonly #made = new Set<string>()
  /** Folders whose own names, up to the root's, are known to be durable. */
  readonly #named = new Set<string>()
  readonly #waiting = new Map<string, Promise<void>>()
  readonly #durable: boolean

  constructor(root: string, durable: boolean) {
    this.#root = root
    // Windows can't open a folder to flush it, and NTFS journals names by itself
    this.#durable = durable && process.platform !== 'win32'
  }

  make(folder: string): void {
    if (this.#made.has(folder)) return
    makeFolders(folder)
    if (this.#made.size >= rememberedFolders) this.#made.clear()
    this.#made.add(folder)
  }

  /** Somebody else removed `folder`, and maybe those above it. */
  forget(folder: string): void {
    for (const at of [folder, ...this.#above(folder)]) {
      this.#made.delete(at)
      this.#named.delete(at)
    }
  }

  /** Resolves once every name that stood in `folder` when it was called survives a power cut, and the folder with them. */
  async sync(folder: string): Promise<void> {
    if (!this.#durable) return
    // whoever made a folder above, be it another lane or process, may not have come to flush its name
    const unnamed = this.#unnamed(folder)
    await Promise.all([folder, ...unnamed.map(dirname)].map((at) => this.#syncOne(at)))
    if (this.#named.size >= rememberedFolders) this.#named.clear()
    for (const at of unnamed) this.#named.add(at)
  }

  #unnamed(folder: string): string[] {
    return [folder, ...this.#above(folder)].filter((at) => at !== this.#root && !this.#named.has(at))
  }

  #above(folder: string): string[] {
    const found: string[] = []
    for (let at = folder; at !== this.#root && at !== dirname(at);) found.push((at = dirname(at)))
    return found
  }

  #syncOne(folder: string): Promise<void> {
    const waiting = this.#waiting.get(folder)
    if (waiting) return waiting
    const synced = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#waiting.delete(folder)
        syncFolder(folder).then(resolve, reject)
      })
    })
    this.#waiting.set(folder, synced)
    return synced
  }
}

async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, 'r')
  try {
    await flush(fd)
  } catch (error) {
    // some file systems refuse to flush a folder; there is nothing more to be had from them
    if (!['EINVAL', 'ENOTSUP', 'EBADF'].includes(systemCode(error) ?? '')) throw error
  } finally {
    closeSync(fd)
  }
}

const flush = promisify(fsync)
