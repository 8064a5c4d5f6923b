import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { CatalogIdentity } from '../client/destination.ts'
import { openCatalog, parseTarget, type Place, type Target } from '../client/open.ts'
import type { Config } from '../config.ts'
import { exitCodeOf, exitCodes } from '../errors.ts'
import type { SummaryEvent } from '../events.ts'
import { sumOf } from '../pipeline/batch.ts'
import { parseLayout } from '../pipeline/layout.ts'
import { replay } from '../pipeline/replay.ts'
import type { RunResult } from '../pipeline/run.ts'
import type { Sources } from '../pipeline/sources.ts'
import { exitCodeOfHangup, type Io } from '../report/io.ts'
import type { PacedReporter } from '../report/ndjson.ts'
import { reporterFor } from '../report/reporter.ts'
import { Ledger } from '../state/ledger.ts'
import { conduct, endStuckProcess, type Conducted } from './conduct.ts'
import { destinationOf } from './destination-of.ts'
import {
  checkStateDir,
  holderOf,
  lanesFor,
  lockRun,
  openSources,
  pipelineOptions,
  refuseSourceInLibrary,
} from './session.ts'
import { openDryRun, surroundingsOf } from './places.ts'
import { inLibrary } from './upload/in-library.ts'
import { inService } from './upload/in-service.ts'
import { notice, type PlacedRun, type UsePlace } from './upload/placed-run.ts'
import { verifyLine } from './verify-line.ts'

interface Upload {
  config: Config
  io: Io
  /** As they were given, for the verify line. */
  paths: readonly string[]
  sources: Sources
  target: Target
}

/** Sends what the paths name to the destination, once each; resolves with the exit code. */
export async function upload(config: Config, paths: readonly string[], io: Io): Promise<number> {
  // what a lane would refuse, before anything is made
  parseLayout(config.layout)
  const target = parseTarget(await destinationOf(config, io), surroundingsOf(config, io))
  const sources = await openSources(config, paths, io)
  refuseSourceInLibrary(sources, target)
  const asked: Upload = { config, io, paths, sources, target }
  return config.dryRun ? dryRun(asked) : realRun(asked)
}

async function realRun(asked: Upload): Promise<number> {
  const { config, io, sources, target } = asked
  checkStateDir(config.state)
  const ledger = new Ledger(config.state)
  const holder = holderOf(config.state, sources, target)
  const lock = await lockRun(config, holder, io)
  try {
    return await inPlace({ config, io, ledger, holder }, target, (place, reporter) =>
      recordedRun(asked, place, ledger, reporter),
    )
  } finally {
    lock.release()
    ledger.close()
  }
}

function inPlace(run: PlacedRun, target: Target, use: UsePlace): Promise<number> {
  return target.kind === 'local' ? inLibrary(run, target, use) : inService(run, target, use)
}

async function recordedRun(asked: Upload, place: Place, ledger: Ledger, reporter: PacedReporter): Promise<number> {
  const { io, sources, target } = asked
  const placeBit = ledger.place(target.url, await beginCatalog(place, ledger, reporter), io.now())
  const run = ledger.beginRun('upload', sources.roots.join(' '), target.url, io.now())
  try {
    const { exitCode, result, summary } = await reported(asked, place, placeBit, reporter)
    ledger.endRun(run, io.hangup.aborted ? exitCodeOfHangup : exitCode, summary, result.failures, io.now())
    if (result.stuck) endStuckProcess(result.signals)
    return exitCode
  } catch (error) {
    ledger.endRun(run, exitCodeOf(error), undefined, [], io.now())
    throw error
  }
}

/** Tells the catalog what earlier runs could not, and takes back what they had claimed. */
async function beginCatalog(place: Place, ledger: Ledger, reporter: PacedReporter): Promise<CatalogIdentity> {
  const catalog = await openCatalog(place, (code, message) => notice(reporter, code, message))
  try {
    await catalog.releaseOwn()
    await replay(ledger, place.target.url, catalog)
    return await catalog.identity()
  } finally {
    await catalog.close()
  }
}

/** A dry run leaves no trace: its memory of what it would have stored is a file that goes with it. */
async function dryRun(asked: Upload): Promise<number> {
  const { config, io, sources, target } = asked
  const folder = mkdtempSync(join(tmpdir(), 'lumina-dry-'))
  try {
    const reporter = reporterFor(config, io)
    const state = { ...config, state: folder }
    const place = await openDryRun(target, state, holderOf(folder, sources, target), reporter)
    const { exitCode } = await reported({ ...asked, config: state }, place, 1, reporter)
    return exitCode
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Reported {
  exitCode: number
  result: Conducted
  summary: SummaryEvent
}

async function reported(asked: Upload, place: Place, placeBit: number, reporter: PacedReporter): Promise<Reported> {
  const { config, io, sources } = asked
  const detail = reporter.wants === 'each'
  try {
    const result = await conduct({
      config,
      io,
      reporter,
      tasks: sources.tasks,
      place,
      placeBit,
      options: pipelineOptions('upload', config, place, detail),
      lanes: lanesFor(config, place),
    })
    const summary = summaryOf(asked, result)
    reporter.event(summary)
    await reporter.drained()
    if (result.error) throw result.error
    return { exitCode: result.signals.exitCode() ?? exitCodeFor(config, result), result, summary }
  } finally {
    reporter.close()
  }
}

function exitCodeFor(config: Config, { tally, ended }: RunResult): number {
  if (ended === 'limit') return exitCodes.limit
  if (tally.failed > 0) return exitCodes.someFailed
  return config.errorOnNoTransfer && tally.uploaded === 0 ? exitCodes.nothingToDo : exitCodes.done
}

function summaryOf(
  { config, paths, target }: Upload,
  { tally, failedBy, retries, seconds, ended }: RunResult,
): SummaryEvent {
  const { found, uploaded, uploadedBytes, skipped, failed, lyingExtensions, datedByMtime } = tally
  return {
    event: 'summary',
    found,
    uploaded,
    skipped: sumOf(skipped),
    failed,
    bytes: uploadedBytes,
    seconds,
    skippedBy: skipped,
    failedBy,
    retries,
    lyingExtensions,
    datedByMtime,
    dryRun: config.dryRun,
    ...(ended === undefined ? {} : { ended }),
    destination: target.shown,
    verify: verifyLine(paths, config, target.shown),
  }
}
