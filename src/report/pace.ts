import type { ProgressEvent } from '../events.ts'

/** Long enough to smooth single files, short enough to follow a network. */
const windowSeconds = 8

interface Sample {
  seconds: number
  sentBytes: number
  doneBytes: number
}

export interface Pace {
  sentBytes: number
  /** Undefined until there is something to judge by. */
  bytesPerSecond: number | undefined
  /** Undefined until the walk is over. */
  secondsLeft: number | undefined
  /** 0 to 1, of what has been found so far. */
  share: number
}

/** Rate and time left, from the last seconds of a run. */
export function createPacer(): (event: ProgressEvent) => Pace {
  const samples: Sample[] = []
  return (event) => {
    const sample = sampleOf(event)
    samples.push(sample)
    while ((samples[0] as Sample).seconds < event.seconds - windowSeconds) samples.shift()
    const oldest = samples[0] as Sample
    const seconds = sample.seconds - oldest.seconds
    const speed = (now: number, before: number): number | undefined =>
      seconds < 0.5 ? undefined : Math.max(0, now - before) / seconds
    const done = speed(sample.doneBytes, oldest.doneBytes)
    return {
      sentBytes: sample.sentBytes,
      bytesPerSecond: speed(sample.sentBytes, oldest.sentBytes),
      secondsLeft: event.walked && done ? Math.max(0, event.foundBytes - sample.doneBytes) / done : undefined,
      share: event.foundBytes === 0 ? 0 : Math.min(1, sample.doneBytes / event.foundBytes),
    }
  }
}

/** Totals don't tell the bytes of skipped and failed files: they are taken to be of the usual size. */
function sampleOf(event: ProgressEvent): Sample {
  const sentBytes = event.uploadedBytes + event.inFlightBytes
  const usualBytes = event.found === 0 ? 0 : event.foundBytes / event.found
  const doneBytes = Math.min(event.foundBytes, sentBytes + (event.skipped + event.failed) * usualBytes)
  return { seconds: event.seconds, sentBytes, doneBytes }
}
