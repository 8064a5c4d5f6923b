import { statfsSync } from 'node:fs'

import { LuminaError } from '../../../errors.ts'

/** Shares counters between the lanes; a KiB is fine enough, and keeps 2 TiB within 32 bits. */
const unitBytes = 1024

export interface Reservation {
  /** How much of it now shows in the file system's own figures. */
  wrote(bytes: number): void
  release(): void
}

/**
 * Room for what is about to be written: what the file system has free, less what the transfers in flight, in every lane, still
 * have to write.
 */
export class Space {
  readonly #root: string
  readonly #inFlight: Int32Array
  /** May be handed out before the file system is asked again. */
  #allowance = 0

  constructor(root: string, inFlight: Int32Array = new Int32Array(1)) {
    this.#root = root
    this.#inFlight = inFlight
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#root)
    return bavail * bsize - Atomics.load(this.#inFlight, 0) * unitBytes
  }

  /** @throws `destination-full` when `bytes` don't fit beside what is under way. */
  reserve(bytes: number): Reservation {
    if (bytes > this.#allowance) this.#ask(bytes)
    this.#allowance -= bytes
    let units = Math.ceil(bytes / unitBytes)
    let unseen = 0
    Atomics.add(this.#inFlight, 0, units)
    const take = (count: number): void => {
      Atomics.sub(this.#inFlight, 0, count)
      units -= count
    }
    return {
      wrote(written) {
        unseen += written
        const count = Math.min(units, Math.floor(unseen / unitBytes))
        unseen -= count * unitBytes
        take(count)
      },
      release: () => take(units),
    }
  }

  #ask(bytes: number): void {
    const free = this.freeBytes()
    if (free < bytes) {
      throw new LuminaError(
        'destination-full',
        `There is no room for ${bytes} more bytes in ${this.#root}: ${Math.max(0, free)} are left.`,
        {
          hint: 'Free some space, or choose another --to; everything stored so far stays.',
        },
      )
    }
    // small files need not ask one by one: a sixteenth of what is left may go before the next look
    this.#allowance = Math.max(bytes, Math.floor(free / 16))
  }
}
