import type { ProgressEvent } from '../events.ts'
import type { Output } from './io.ts'
import type { Screen } from './screen.ts'
import { formatBytes, formatCount, formatRate, plural } from './units.ts'

/** Often enough to see life in a log, seldom enough not to fill it. */
const secondsBetweenLines = 10

/** For logs and pipes: every line stays, and progress is a line every 10 s. */
export function createLines(stream: Output, { progress }: { progress: boolean }): Screen {
  let nextSeconds = secondsBetweenLines
  return {
    line: (text) => void stream.write(`${text}\n`),
    progress(event) {
      if (!progress || event.seconds < nextSeconds) return
      nextSeconds = event.seconds + secondsBetweenLines
      stream.write(`${progressLine(event)}\n`)
    },
    end() {},
  }
}

function progressLine(event: ProgressEvent): string {
  const finished = event.uploaded + event.skipped + event.failed
  const parts = [
    `${formatCount(finished)} of ${formatCount(event.found)}${event.walked ? '' : '+'} files`,
    formatBytes(event.uploadedBytes + event.inFlightBytes),
    formatRate((event.uploadedBytes + event.inFlightBytes) / event.seconds),
  ]
  if (event.failed > 0) parts.push(`${formatCount(event.failed)} failed`)
  if (event.retries > 0) parts.push(plural(event.retries, 'retry', 'retries'))
  return parts.join(', ')
}
