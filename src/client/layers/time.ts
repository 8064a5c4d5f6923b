import { interruption } from '../interruption.ts'

/** What layers wait by. Tests bring their own, so that no test waits. */
export interface Time {
  /** Never goes back, and is the same in every thread of the process, unlike `performance.now()`. */
  nowMs(): number
  /** Rejects with `interrupted` as soon as `signal` is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
}

export const systemTime: Time = {
  nowMs: () => Number(process.hrtime.bigint()) / 1e6,
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(interruption(signal))
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(interruption(signal))
      }
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal.addEventListener('abort', onAbort, { once: true })
    }),
}
