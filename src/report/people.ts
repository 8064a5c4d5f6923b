import type { LuminaEvent, Reporter } from '../events.ts'
import { describe } from './describe.ts'
import { type Named, nameEmpty, nameFailed, namedAtMost } from './failures.ts'
import type { Screen } from './screen.ts'
import type { Style } from './style.ts'
import { indexSummaryLines, summaryLines, verifySummaryLines } from './summary.ts'

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
  const end = (lines: readonly string[]): void => {
    screen.end()
    if (!quiet) for (const line of lines) screen.line(line)
  }

  const tell = (event: LuminaEvent): void => {
    switch (event.event) {
      case 'progress':
        if (!quiet) screen.progress(event)
        return
      case 'summary':
        return end(summaryLines(event, named, style))
      case 'verify-summary':
        return end(verifySummaryLines(event, style))
      case 'index-summary':
        return end(indexSummaryLines(event, style))
      case 'failed':
        name(nameFailed(event))
        break
      case 'skipped':
        if (event.reason === 'empty') name(nameEmpty(event))
        break
      default:
    }
    const line = describe(event, style)
    const isShown = line !== undefined && (line.from === 'error' || (!quiet && verbose >= line.from))
    if (isShown) screen.line(line.text)
  }
  return { wants: verbose > 0 ? 'each' : 'totals', event: tell, close: () => screen.end() }
}
