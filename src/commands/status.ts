import { fileURLToPath } from 'node:url'

import type { Config } from '../config.ts'
import { exitCodes } from '../errors.ts'
import { namedAtMost } from '../report/failures.ts'
import type { Io } from '../report/io.ts'
import { printable, printableJson } from '../report/printable.ts'
import { type Style, styleFor } from '../report/style.ts'
import { formatBytes, formatCount, formatSeconds, plural } from '../report/units.ts'
import { type BegunTransfer, existingLedger, type Failure, type Ledger, type RunRecord } from '../state/ledger.ts'

/** As many as fit a screen beside the failures. */
const shownRuns = 10

interface Status {
  runs: readonly (RunRecord & { failures: readonly Failure[] })[]
  transfers: readonly BegunTransfer[]
}

/** `lumina status`: the last runs, what failed in them, and what would resume. All of it is this machine's memory, on stdout. */
export async function status(config: Config, io: Io): Promise<number> {
  const ledger = existingLedger(config.state)
  const known: Status = ledger === undefined ? { runs: [], transfers: [] } : readStatus(ledger)
  ledger?.close()
  const lines = config.json
    ? [printableJson(statusJson(known))]
    : statusLines(known, config.verbose > 0, styleFor(io, io.stdout))
  for (const line of lines) io.stdout.write(`${line}\n`)
  return exitCodes.done
}

function readStatus(ledger: Ledger): Status {
  const runs = ledger.runs(shownRuns).map((run) => ({ ...run, failures: ledger.failures(run.id) }))
  return { runs, transfers: ledger.transfers() }
}

function statusJson({ runs, transfers }: Status): object {
  return {
    runs: runs.map(({ id, command, source, url, begunMs, endedMs, exitCode, summary, failures }) => ({
      id,
      command,
      source,
      destination: place(url),
      begun: iso(begunMs),
      ...(endedMs === undefined ? {} : { ended: iso(endedMs) }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(summary === undefined ? {} : { summary }),
      failures,
    })),
    resumable: transfers.map(({ path, url, bytes, begunMs }) => ({
      path,
      destination: place(url),
      bytes,
      begun: iso(begunMs),
    })),
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

function statusLines({ runs, transfers }: Status, all: boolean, style: Style): string[] {
  if (runs.length === 0 && transfers.length === 0) return ['No run yet on this machine.']
  return [
    ...runs.flatMap((run) => runLines(run, style)),
    ...(all ? runs : lastEnded(runs)).flatMap((run) => failureLines(run, all, style)),
    ...transferLines(transfers, all, style),
  ]
}

function lastEnded(runs: Status['runs']): Status['runs'] {
  return runs.filter(({ endedMs }) => endedMs !== undefined).slice(0, 1)
}

function runLines(run: RunRecord, style: Style): string[] {
  const { command, source, url, begunMs } = run
  return [
    `${style('bold', localTime(begunMs))}  ${command} ${printable(source)} → ${printable(place(url))}`,
    `    ${outcome(run, style)}`,
  ]
}

function outcome({ begunMs, endedMs, exitCode, summary }: RunRecord, style: Style): string {
  if (endedMs === undefined) return style('yellow', 'under way, or killed')
  const end =
    exitCode === exitCodes.done && !summary?.ended
      ? style('green', 'done')
      : style('yellow', endWord(exitCode, summary))
  if (summary === undefined) return `${end} after ${formatSeconds((endedMs - begunMs) / 1000)}`
  const { found, uploaded, skipped, failed, bytes, seconds } = summary
  const counts = `${formatCount(uploaded)} uploaded + ${formatCount(skipped)} skipped + ${formatCount(failed)} failed`
  return `${end}: ${formatCount(found)} found = ${counts}, ${formatBytes(bytes)} in ${formatSeconds(seconds)}`
}

const endWords = { interrupted: 'interrupted', limit: 'ended by a limit', error: 'ended by an error' } as const

function endWord(exitCode: number | undefined, summary: RunRecord['summary']): string {
  return summary?.ended === undefined ? `exit ${exitCode}` : endWords[summary.ended]
}

function failureLines({ begunMs, failures }: Status['runs'][number], all: boolean, style: Style): string[] {
  if (failures.length === 0) return []
  const shown = all ? failures : failures.slice(0, namedAtMost)
  const rest = failures.length - shown.length
  return [
    `Failed in the run of ${localTime(begunMs)}:`,
    ...shown.map(({ path, message }) => `  ${style('red', '✗')} ${printable(path)}: ${printable(message)}`),
    ...(rest > 0 ? [`  … ${formatCount(rest)} more: lumina status -v`] : []),
  ]
}

function transferLines(transfers: readonly BegunTransfer[], all: boolean, style: Style): string[] {
  if (transfers.length === 0) return []
  const shown = all ? transfers : transfers.slice(0, namedAtMost)
  const rest = transfers.length - shown.length
  return [
    `${plural(transfers.length, 'begun transfer')} would go on where the destination says it stopped:`,
    ...shown.map(({ path, url, bytes, begunMs }) => {
      const since = `${formatBytes(bytes)}, begun ${localTime(begunMs)}`
      return `  ${style('yellow', '…')} ${printable(path)} → ${printable(place(url))} (${since})`
    }),
    ...(rest > 0 ? [`  … ${formatCount(rest)} more: lumina status -v`] : []),
  ]
}

/** A destination as people know it: a library by its path. */
function place(url: string): string {
  try {
    if (url.startsWith('supabase+'))
      return `supabase://${url.slice('supabase+'.length).replace(/^https?:\/\/[^/]*\//, '')}`
    return url.startsWith('file:') ? fileURLToPath(url) : url
  } catch {
    return url
  }
}

/** `2026-11-20 12:00`, in local time. */
function localTime(ms: number): string {
  const date = new Date(ms)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}
