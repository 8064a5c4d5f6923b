import type { FailedEvent, LuminaEvent, Reporter, SkippedEvent, UploadedEvent } from '../events.ts'
import { type Named, nameEmpty, nameFailed, namedAtMost } from './failures.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import type { Style } from './style.ts'
import { skipWords, summaryLines } from './summary.ts'
import { formatBytes, formatSeconds } from './units.ts'

export interface PeopleOptions {
  screen: Screen
  style: Style
  /** Failures only. */
  quiet: boolean
  /** 1: a line a file; 2: a line a step. */
  verbose: number
}

/** A run as people read it on stderr: failures at once, every file if asked for, the summary at the end. */
export function createPeopleReporter({ screen, style, quiet, verbose }: PeopleOptions): Reporter {
  const named: Named[] = []
  const name = (one: Named): void => {
    if (named.length < namedAtMost) named.push(one)
  }
  const say = (level: number, text: string): void => {
    if (!quiet && verbose >= level) screen.line(text)
  }

  const tell = (event: LuminaEvent): void => {
    switch (event.event) {
      case 'progress':
        if (!quiet) screen.progress(event)
        break
      case 'found':
        if (event.extensionClaims !== undefined)
          say(
            1,
            `${style('yellow', '!')} ${printable(event.path)} is ${event.kind}, though its name says ${event.extensionClaims}`,
          )
        break
      case 'hashed':
        say(2, `  ${printable(event.path)}: sha256 ${event.digest}`)
        break
      case 'uploaded':
        say(1, uploadedLine(event, style))
        break
      case 'skipped':
        if (event.reason === 'empty') name(nameEmpty(event))
        say(1, skippedLine(event))
        break
      case 'retrying':
        say(
          1,
          `${style('yellow', '↻')} ${printable(event.path)}: ${printable(event.message)}; try ${event.attempt} in ${formatSeconds(event.delayMs / 1000)}`,
        )
        break
      case 'failed':
        name(nameFailed(event))
        screen.line(failedLine(event, style))
        break
      case 'notice':
        say(0, `${style('yellow', '!')} ${printable(event.message)}`)
        break
      case 'summary':
        screen.end()
        for (const line of summaryLines(event, named, style)) say(0, line)
        break
    }
  }
  return { wants: verbose > 0 ? 'each' : 'totals', event: tell, close: () => screen.end() }
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
