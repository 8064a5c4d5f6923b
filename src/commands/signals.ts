/** The signals that ask a run to end, with the exit codes that shells know them by: 128 + number. */
const exitCodeOf = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
export type StopSignal = keyof typeof exitCodeOf

/**
 * One Ctrl-C reaches a process twice when a runner between it and the terminal passes it on (npm under bash, 0 to 3 ms apart): a person
 * takes longer for the second.
 */
const oneSignalMs = 250

export interface Signals {
  /** The first signal that came. */
  received(): StopSignal | undefined
  exitCode(): number | undefined
  /** Back to what a process without us does. */
  close(): void
}

/**
 * Calls `onFirst` for the first signal; the second ends the process there and then, by the signal itself: threads that are blocked in a
 * read would hold `process.exit` for as long as the read takes.
 */
export function listenForSignals(onFirst: (signal: StopSignal) => void): Signals {
  let received: StopSignal | undefined
  let receivedMs = 0
  const names = Object.keys(exitCodeOf) as StopSignal[]
  const listeners = names.map((signal) => ({ signal, listener: () => heard(signal) }))
  const close = (): void => {
    for (const { signal, listener } of listeners) process.removeListener(signal, listener)
  }
  function heard(signal: StopSignal): void {
    if (received !== undefined) return performance.now() - receivedMs < oneSignalMs ? undefined : endBy(signal)
    received = signal
    receivedMs = performance.now()
    onFirst(signal)
  }
  function endBy(signal: StopSignal): void {
    close()
    process.kill(process.pid, signal)
  }
  for (const { signal, listener } of listeners) process.on(signal, listener)
  return { received: () => received, exitCode: () => received && exitCodeOf[received], close }
}
