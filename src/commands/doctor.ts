import type { Config } from '../config.ts'
import { exitCodes, LuminaError, systemCode } from '../errors.ts'
import type { Io } from '../report/io.ts'
import { printable, printableJson } from '../report/printable.ts'
import { type Style, styleFor } from '../report/style.ts'
import { plural } from '../report/units.ts'
import { checkClock, lastRunMs } from './doctor/clock.ts'
import { checkDestination } from './doctor/destination.ts'
import { type Finding, problem } from './doctor/finding.ts'
import { checkState, withLedger } from './doctor/state.ts'
import { checkConfig, checkTerminal } from './doctor/surroundings.ts'
import { checkVersions } from './doctor/versions.ts'

/** `lumina doctor`: looks at all that an upload needs, and says what to do. Changes nothing, but for `--sweep`. */
export async function doctor(config: Config, io: Io): Promise<number> {
  const findings = [
    ...checkVersions(process.versions),
    ...(await attempt('state', () => checkState(config.state))),
    ...(await attempt('ledger', () => clock(config, io))),
    ...checkConfig(config),
    ...checkTerminal(io),
    ...(await attempt('destination', () => checkDestination(config, io))),
  ]
  const lines = config.json ? [jsonOf(findings)] : findingLines(findings, config, styleFor(io, io.stdout))
  for (const line of lines) io.stdout.write(`${line}\n`)
  return problemsIn(findings) === 0 ? exitCodes.done : exitCodes.someFailed
}

function clock(config: Config, io: Io): Finding[] {
  let last: number | undefined
  const ofLedger = withLedger(config.state, (ledger) => {
    last = lastRunMs(ledger)
    return []
  })
  return [checkClock(io.now(), last), ...ofLedger]
}

/** What stops one look is a finding; the others go on. */
async function attempt(check: string, look: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof LuminaError) return [problem(check, error.message, error.hint)]
    if (systemCode(error) !== undefined) return [problem(check, (error as Error).message)]
    throw error
  }
}

function problemsIn(findings: readonly Finding[]): number {
  return findings.filter(({ level }) => level === 'problem').length
}

function jsonOf(findings: readonly Finding[]): string {
  return printableJson({ ok: problemsIn(findings) === 0, findings })
}

function findingLines(findings: readonly Finding[], { quiet }: Config, style: Style): string[] {
  const shown = findings.filter(({ level }) => !quiet || level === 'problem')
  const problems = problemsIn(findings)
  const end = problems === 0 ? style('green', 'All is well.') : style('red', `${plural(problems, 'problem')}.`)
  return [...shown.flatMap((each) => linesOf(each, style)), ...(quiet ? [] : [end])]
}

const marks = { ok: ['green', '✓'], note: ['yellow', '!'], problem: ['red', '✗'] } as const

function linesOf({ level, message, hint }: Finding, style: Style): string[] {
  const [colour, mark] = marks[level]
  return [`${style(colour, mark)} ${printable(message)}`, ...(hint === undefined ? [] : [`    ${printable(hint)}`])]
}
