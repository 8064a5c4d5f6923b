import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What one direction of a connection suffers; asked again before each step, since it may change meanwhile. */
export interface LinkFaults {
  delayMs: number
  bytesPerSecond: number
  /** So many bytes go through, and then the connection is cut. */
  cutAfter: number
  /** So many bytes go through, and then no more do. */
  stallAfter: number
}

interface Waiting {
  chunk: Buffer
  dueMs: number
}

/** More than what is under way on a fast line, little enough to hold. */
const maxWaitingBytes = 16 * 1024 * 1024
/** A slow line is slow in every tenth of a second, not in jumps. */
const stepsPerSecond = 10

export interface LinkEvents {
  faults(): LinkFaults
  /** Bytes on their way out; false takes them away. */
  passing(bytes: number): boolean
  cut(): void
}

/** Carries what `from` receives to `to`, in order. */
export class Link {
  readonly #from: Socket
  readonly #to: Socket
  readonly #events: LinkEvents
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #passed = 0
  #carrying = false
  #ended = false
  #closed = false
  #change = new AbortController()

  constructor(from: Socket, to: Socket, events: LinkEvents) {
    this.#from = from
    this.#to = to
    this.#events = events
    from.on('data', (chunk) => this.#take(chunk))
    from.on('end', () => {
      this.#ended = true
      this.#start()
    })
  }

  /** The faults are others now, and count from here. */
  changed(): void {
    this.#passed = 0
    this.#wake()
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  #wake(): void {
    this.#change.abort()
    this.#change = new AbortController()
  }

  #take(chunk: Buffer): void {
    this.#waiting.push({ chunk, dueMs: performance.now() + this.#events.faults().delayMs })
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > maxWaitingBytes) this.#from.pause()
    this.#start()
  }

  #start(): void {
    if (this.#carrying) return
    this.#carrying = true
    void this.#carry().finally(() => (this.#carrying = false))
  }

  async #carry(): Promise<void> {
    for (let next = this.#waiting[0]; next && !this.#closed; next = this.#waiting[0]) {
      const { delayMs, bytesPerSecond, cutAfter, stallAfter } = this.#events.faults()
      const lateMs = delayMs > 0 ? next.dueMs - performance.now() : 0
      const room = Math.min(cutAfter, stallAfter) - this.#passed
      if (this.#passed >= cutAfter) return this.#events.cut()
      if (room <= 0 || lateMs > 0) {
        // oxlint-disable-next-line no-await-in-loop -- bytes go one after the other
        await this.#pause(room <= 0 ? undefined : lateMs)
        continue
      }
      const bytes = Math.min(next.chunk.length, room, Math.max(1, Math.ceil(bytesPerSecond / stepsPerSecond)))
      if (Number.isFinite(bytesPerSecond) && !(await this.#pause((bytes / bytesPerSecond) * 1000))) continue
      if (!this.#events.passing(bytes)) return
      await this.#write(this.#shift(next, bytes))
      // now, and not when the next byte comes: perhaps there is none
      if (this.#passed >= this.#events.faults().cutAfter) return this.#events.cut()
    }
    if (this.#ended && !this.#closed) this.#to.end()
  }

  #shift(next: Waiting, bytes: number): Buffer {
    const chunk = next.chunk.subarray(0, bytes)
    next.chunk = next.chunk.subarray(bytes)
    if (next.chunk.length === 0) this.#waiting.shift()
    this.#waitingBytes -= bytes
    this.#passed += bytes
    if (this.#waitingBytes <= maxWaitingBytes / 2) this.#from.resume()
    return chunk
  }

  #write(chunk: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#to.write(chunk, () => resolve())
    })
  }

  /** Whether it waited to the end, and was not woken by a change. */
  async #pause(ms: number | undefined): Promise<boolean> {
    const { signal } = this.#change
    try {
      await delay(ms ?? 2 ** 30, undefined, { signal, ref: ms !== undefined })
      return true
    } catch {
      return false
    }
  }
}
