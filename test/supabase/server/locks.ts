interface Held {
  /** Asks the holder to end soon. */
  askBack(): void
  readonly waiting: (() => void)[]
}

/** Locks by name, in the order asked. Who waits asks the holder to give way; who waits longer than `timeoutMs` gets an error. */
export class Locks {
  readonly #held = new Map<string, Held>()
  readonly #timeoutMs: number
  readonly #timeout: () => Error

  constructor(timeoutMs: number, timeout: () => Error) {
    this.#timeoutMs = timeoutMs
    this.#timeout = timeout
  }

  /** Returns what lets go. */
  async take(name: string, askBack: () => void = () => {}, signal?: AbortSignal): Promise<() => void> {
    const held = this.#held.get(name)
    if (held) {
      held.askBack()
      await this.#turn(held, signal)
    }
    this.#held.set(name, { askBack, waiting: held?.waiting ?? [] })
    // somebody came while this one waited
    if (held && held.waiting.length > 0) askBack()
    let gone = false
    return () => {
      if (gone) return
      gone = true
      this.#release(name)
    }
  }

  #release(name: string): void {
    const next = this.#held.get(name)?.waiting.shift()
    if (next) next()
    else this.#held.delete(name)
  }

  #turn(held: Held, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
      }
      const giveUp = (): void => {
        settle()
        const at = held.waiting.indexOf(turn)
        if (at !== -1) held.waiting.splice(at, 1)
        reject(this.#timeout())
      }
      const turn = (): void => {
        settle()
        resolve()
      }
      const timer = setTimeout(giveUp, this.#timeoutMs)
      signal?.addEventListener('abort', giveUp)
      held.waiting.push(turn)
    })
  }
}
