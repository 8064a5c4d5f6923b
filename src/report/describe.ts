import type { FailedEvent, LuminaEvent, NotStoredEvent, RetryingEvent, SkippedEvent, UploadedEvent } from '../events.ts'
import { nameFailed } from './failures.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { formatBytes, formatSeconds } from './units.ts'
import { notStoredWords, skipWords } from './words.ts'

/** A line about one event. */
export interface Described {
  text: string
  /** From how many -v on it is shown; errors are shown with -q too. */
  from: 0 | 1 | 2 | 'error'
}

/** What a person reads of one event; undefined for those that are shown otherwise, or say nothing to a person. */
export function describe(event: LuminaEvent, style: Style): Described | undefined {
  switch (event.event) {
    case 'found':
      if (event.extensionClaims === undefined) return undefined
      return {
        from: 1,
        text: `${style('yellow', '!')} ${printable(event.path)} is ${event.kind}, though its name says ${event.extensionClaims}`,
      }
    case 'hashed':
      return { from: 2, text: `  ${printable(event.path)}: sha256 ${event.digest}` }
    case 'uploaded':
      return { from: 1, text: uploadedLine(event, style) }
    case 'skipped':
      return { from: 1, text: skippedLine(event) }
    case 'failed':
      return { from: 'error', text: failedLine(event, style) }
    case 'retrying':
      return { from: 1, text: retryingLine(event, style) }
    case 'notice':
      return { from: 0, text: `${style('yellow', '!')} ${printable(event.message)}` }
    case 'verified':
      return { from: 1, text: `${style('green', '✓')} ${printable(event.path)} is stored as ${printable(event.key)}` }
    case 'not-stored':
      return { from: 'error', text: notStoredLine(event, style) }
    case 'indexed':
      return { from: 1, text: `${style('green', '✓')} ${printable(event.key)} (${formatBytes(event.bytes)})` }
    default:
      return undefined
  }
}

function uploadedLine({ path, key, bytes, dryRun }: UploadedEvent, style: Style): string {
  const mark = dryRun ? 'would upload' : style('green', '✓')
  return `${mark} ${printable(path)} → ${printable(key)} (${formatBytes(bytes)})`
}

function skippedLine({ path, reason, key }: SkippedEvent): string {
  return `- ${printable(path)}: ${skipWords[reason]}${key === undefined ? '' : ` as ${printable(key)}`}`
}

function failedLine(event: FailedEvent, style: Style): string {
  const { path, what } = nameFailed(event)
  return `${style('red', '✗')} ${printable(path)}: ${printable(what)}`
}

function retryingLine({ path, message, attempt, delayMs }: RetryingEvent, style: Style): string {
  return `${style('yellow', '↻')} ${printable(path)}: ${printable(message)}; try ${attempt} in ${formatSeconds(delayMs / 1000)}`
}

function notStoredLine({ path, reason, key, message }: NotStoredEvent, style: Style): string {
  const where = key === undefined ? '' : ` (${printable(key)})`
  const why = message === undefined ? '' : `: ${printable(message)}`
  return `${style('red', '✗')} ${printable(path)}: ${notStoredWords[reason]}${where}${why}`
}
