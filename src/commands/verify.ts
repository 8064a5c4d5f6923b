import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { parseTarget, type Target } from '../client/open.ts'
import type { Config } from '../config.ts'
import { exitCodes } from '../errors.ts'
import type { VerifySummaryEvent } from '../events.ts'
import { sumOf } from '../pipeline/batch.ts'
import type { RunResult } from '../pipeline/run.ts'
import type { Io } from '../report/io.ts'
import { reporterFor } from '../report/reporter.ts'
import { conduct, endStuckProcess } from './conduct.ts'
import { destinationOf } from './destination-of.ts'
import { openStored, surroundingsOf } from './places.ts'
import { holdsLibrary, lanesFor, openSources, pipelineOptions, refuseSourceInLibrary } from './session.ts'

/** Says for each source file whether that very content is stored; resolves with 0 only when every one is. */
export async function verify(config: Config, paths: readonly string[], io: Io): Promise<number> {
  const target = parseTarget(await destinationOf(config, io), surroundingsOf(config, io))
  const sources = await openSources(config, paths, io)
  // what is compared with itself is always the same
  refuseSourceInLibrary(sources, target)
  // nothing remembered is trusted, and nothing is remembered: the lanes get a ledger of their own
  const state = mkdtempSync(join(tmpdir(), 'lumina-verify-'))
  const reporter = reporterFor(config, io)
  try {
    const place = await openStored(target, config, 'verify', reporter)
    const result = await conduct({
      config: { ...config, state },
      io,
      reporter,
      tasks: sources.tasks,
      place,
      placeBit: 1,
      options: { ...pipelineOptions('verify', config, place, reporter.wants === 'each'), rehash: true },
      lanes: lanesFor(config, place),
    })
    const summary = summaryOf(config, target, result, holdsLibrary(sources, target))
    reporter.event(summary)
    await reporter.drained()
    if (result.error) throw result.error
    if (result.stuck) endStuckProcess(result.signals)
    return result.signals.exitCode() ?? (summary.safeToWipe ? exitCodes.done : exitCodes.someFailed)
  } finally {
    reporter.close()
    rmSync(state, { recursive: true, force: true })
  }
}

function summaryOf(
  { quick }: Config,
  target: Target,
  { tally, seconds, ended }: RunResult,
  holdsLibrary: boolean,
): VerifySummaryEvent {
  const { found, uploaded, uploadedBytes, notStored } = tally
  return {
    event: 'verify-summary',
    found,
    verified: uploaded,
    notStored: sumOf(notStored),
    notStoredBy: notStored,
    bytes: uploadedBytes,
    seconds,
    quick,
    // an empty card, or a wrong path, proves nothing; and a library does not outlive the folder that it lies in
    safeToWipe: found > 0 && uploaded === found && ended === undefined && !holdsLibrary,
    destination: target.shown,
    ...(ended === undefined ? {} : { ended }),
  }
}
