import type { Ledger } from '../../state/ledger.ts'
import { formatSeconds } from '../../report/units.ts'
import { type Finding, note, ok, problem } from './finding.ts'

/** This version did not exist before. */
const earliestMs = Date.UTC(2026, 0, 1)
/** Clocks are set a little back now and then, and a disk's file system may count in steps of 2 s. */
const tolerableMs = 60_000

/** A clock that is wrong gives wrong dates to layouts and ages, and makes leases end too early or never. */
export function checkClock(nowMs: number, lastRunMs: number | undefined): Finding {
  const now = new Date(nowMs).toISOString()
  if (nowMs < earliestMs) return problem('clock', `the clock says ${now}, which cannot be`, 'set the clock')
  if (lastRunMs !== undefined && lastRunMs - nowMs > tolerableMs) {
    const behind = formatSeconds((lastRunMs - nowMs) / 1000)
    return problem(
      'clock',
      `the clock says ${now}, ${behind} before the last run`,
      'set the clock, or let it be set by NTP',
    )
  }
  return ok('clock', `clock ${now}`)
}

/** The clock of the file system that `writtenMs` comes from, against ours. */
export function checkFileClock(nowMs: number, writtenMs: number): Finding[] {
  const skewMs = Math.abs(nowMs - writtenMs)
  if (skewMs <= tolerableMs) return []
  const message = `the clock of the destination differs from this machine's by ${formatSeconds(skewMs / 1000)}`
  return [note('destination-clock', message, 'set both by NTP: --since and --until compare times of files')]
}

export function lastRunMs(ledger: Ledger): number | undefined {
  return ledger.runs(1)[0]?.begunMs
}
