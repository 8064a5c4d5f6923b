import type { Reporter } from '../events.ts'
import { createBar } from './bar.ts'
import type { Io } from './io.ts'
import { createLines } from './lines.ts'
import { createLogFile } from './log-file.ts'
import { createNdjsonReporter, type PacedReporter } from './ndjson.ts'
import { createPeopleReporter } from './people.ts'
import type { Screen } from './screen.ts'
import { styleFor } from './style.ts'

/** The settings that reporters heed: a `Config` has them all. */
export interface ReporterConfig {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: number
  readonly progress: boolean
  readonly logFile: string | undefined
}

/**
 * Everyone who is to hear of a run. stderr is for people, the summary included: it comments on the result, and the result is what is stored.
 * stdout holds events with --json, else nothing, so that a cron job's mail and a pipe get the same with and without it.
 * @throws `usage` when the log file cannot be opened
 */
export function reporterFor(config: ReporterConfig, io: Io): PacedReporter {
  const screen = screenFor(config, io)
  const people = createPeopleReporter({
    screen,
    style: styleFor(io, io.stderr),
    quiet: config.quiet,
    verbose: config.verbose,
  })
  const programs = config.json ? createNdjsonReporter(io.stdout) : undefined
  const reporters: Reporter[] = [people]
  if (programs) reporters.push(programs)
  if (config.logFile !== undefined)
    reporters.push(createLogFile({ path: config.logFile, now: io.now, lost: noticeOn(people) }))
  return {
    wants: reporters.some(({ wants }) => wants === 'each') ? 'each' : 'totals',
    event(event) {
      for (const reporter of reporters) reporter.event(event)
    },
    close() {
      for (const reporter of reporters) reporter.close()
    },
    drained: () => programs?.drained(),
  }
}

function noticeOn(people: Reporter): (message: string) => void {
  return (message) => people.event({ event: 'notice', code: 'log-lost', message })
}

/** Events that scroll over the same terminal would tear a bar apart, as would a terminal that cannot move its cursor. */
function screenFor({ progress, json }: ReporterConfig, { stdout, stderr, env }: Io): Screen {
  const isTerminal = stderr.isTTY === true && env['TERM'] !== 'dumb'
  const isShared = json && stdout.isTTY === true
  return isTerminal && progress && !isShared
    ? createBar(stderr)
    : createLines(stderr, { progress: progress && !isShared })
}
