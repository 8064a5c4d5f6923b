import type { PacedReporter } from '../report/ndjson.ts'

/**
 * Tells of work beside what was asked for: that it goes on, and what went wrong. Its files are none of the command's own, so none of
 * them gets an outcome.
 */
export function aside(reporter: PacedReporter): PacedReporter {
  return {
    ...reporter,
    wants: 'totals',
    event(event) {
      if (event.event === 'notice' || event.event === 'progress') reporter.event(event)
      if (event.event === 'failed') reporter.event({ event: 'notice', code: event.code, message: event.message })
    },
  }
}
