/** Best of 64 KiB to 4 MiB for read and hash in one pass. */
export const bufferBytes = 256 * 1024

/** The buffers of this thread's transfers, used again and again: as many as were ever in flight at once. */
class Buffers {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer)
  }
}

export const buffers = new Buffers()
