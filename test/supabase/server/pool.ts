import { refusals } from './errors.ts'

/** The database connections of the server. Who finds none within `waitMs` is told so, whatever it wanted. */
export class Pool {
  readonly #waiting: (() => void)[] = []
  #free: number
  readonly #waitMs: number

  constructor(size: number, waitMs: number) {
    this.#free = size
    this.#waitMs = waitMs
  }

  /** Returns what gives the connection back. */
  async take(): Promise<() => void> {
    if (this.#free === 0) await this.#turn()
    else this.#free--
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(refusals.databaseTimeout())
      }, this.#waitMs)
      const turn = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiting.push(turn)
    })
  }
}
