import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  catalogIdAt,
  clearTemps,
  healCatalog,
  holdPlace,
  keepClaims,
  leavePlace,
  markFilled,
  openCatalog,
  openDryPlace,
  openPlace,
  parseTarget,
  type CatalogHealth,
  type LayerSettings,
  type Place,
  type Target,
} from '../client/open.ts'
import type { Config } from '../config.ts'
import { exitCodeOf, exitCodes, LuminaError } from '../errors.ts'
import type { SummaryEvent } from '../events.ts'
import { sumOf } from '../pipeline/batch.ts'
import { parseLayout } from '../pipeline/layout.ts'
import type { RunResult } from '../pipeline/run.ts'
import type { Sources } from '../pipeline/sources.ts'
import { exitCodeOfHangup, type Io } from '../report/io.ts'
import type { PacedReporter } from '../report/ndjson.ts'
import { reporterFor } from '../report/reporter.ts'
import { Ledger } from '../state/ledger.ts'
import { aside } from './aside.ts'
import { conduct, endStuckProcess, type Conducted } from './conduct.ts'
import { destinationOf } from './destination-of.ts'
import { leftovers, sweep } from './doctor/temps.ts'
import { fillCatalog } from './index-library.ts'
import {
  checkStateDir,
  holderOf,
  lanesFor,
  lockRun,
  openSources,
  pipelineOptions,
  refuseSourceInLibrary,
} from './session.ts'
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
  const target = parseTarget(await destinationOf(config, io), io.cwd)
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
    refuseOtherLibrary(config, ledger, target)
    const place = openPlace(target, { holder, layers: layersOf(config), stateDir: config.state })
    const hold = holdPlace(place)
    try {
      const reporter = reporterFor(config, io)
      if (ledger.setAside !== undefined)
        notice(reporter, 'ledger-rebuilt', `The ledger was damaged; it is set aside as ${ledger.setAside}.`)
      await heal(place, asked, reporter)
      // on a network, nothing shows whether the run that left them lives
      if (place.volume.local) sweepOld(target, io)
      clearTemps(place, new Set(ledger.transfers(target.url).map(({ token }) => String(token['temp']))))
      const claims = keepClaims(place)
      try {
        return await recordedRun(asked, place, ledger, reporter)
      } finally {
        await claims.stop()
      }
    } finally {
      leavePlace(place, hold)
    }
  } finally {
    lock.release()
    ledger.close()
  }
}

/** What a run left half this long ago, nobody comes back for. */
const oldTempMs = 7 * 24 * 60 * 60 * 1000

function sweepOld(target: Target, io: Io): void {
  sweep(leftovers(target.root).filter(({ held, touchedMs }) => !held && io.now() - touchedMs > oldTempMs))
}

/** Fills a catalog that was damaged or lost from the objects themselves, so that nothing is sent again. */
async function heal(place: Place, { config, io }: Upload, reporter: PacedReporter): Promise<void> {
  const { health, setAside } = await healCatalog(place)
  if (health === 'whole') return
  notice(reporter, 'catalog-rebuilt', told(health, setAside))
  const { error, ended, signals } = await fillCatalog(place, config, io, aside(reporter))
  signals.close()
  if (error) throw error
  if (ended)
    throw new LuminaError('interrupted', 'The catalog is not made again yet.', { hint: 'Run the same command again.' })
  markFilled(place)
}

function told(health: CatalogHealth, setAside: string | undefined): string {
  return `${whatOf(health, setAside)}: it is made again from the stored files.`
}

function whatOf(health: CatalogHealth, setAside: string | undefined): string {
  if (health === 'damaged') return `The catalog of the library was damaged and is set aside as ${setAside}`
  return health === 'unfilled'
    ? 'The catalog of the library was not made again to its end'
    : 'The catalog of the library is missing'
}

async function recordedRun(asked: Upload, place: Place, ledger: Ledger, reporter: PacedReporter): Promise<number> {
  const { io, sources, target } = asked
  const catalog = openCatalog(place)
  const identity = await catalog.identity()
  await catalog.close()
  const placeBit = ledger.place(target.url, identity, io.now())
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

/** A dry run leaves no trace: its memory of what it would have stored is a file that goes with it. */
async function dryRun(asked: Upload): Promise<number> {
  const { config, io, sources, target } = asked
  const folder = mkdtempSync(join(tmpdir(), 'lumina-dry-'))
  try {
    const place = openDryPlace(
      target,
      { holder: holderOf(folder, sources, target), layers: layersOf(config), stateDir: folder },
      join(folder, 'overlay.db'),
    )
    const state = { ...config, state: folder }
    const { exitCode } = await reported({ ...asked, config: state }, place, 1, reporterFor(config, io))
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
  const { config, io, sources, target } = asked
  const detail = reporter.wants === 'each'
  try {
    const result = await conduct({
      config,
      io,
      reporter,
      tasks: sources.tasks,
      place,
      placeBit,
      options: pipelineOptions('upload', config, target, detail),
      lanes: lanesFor(config),
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
    destination: target.root,
    verify: verifyLine(paths, config, target.root),
  }
}

/** An unmounted disk leaves an empty folder: to start a library there would hide it, and fill the wrong disk. */
function refuseOtherLibrary(config: Config, ledger: Ledger, target: Target): void {
  const remembered = ledger.catalogAt(target.url)
  if (!remembered || config.newLibrary) return
  const there = catalogIdAt(target)
  if (there === remembered.id) return
  throw new LuminaError(
    'destination-missing',
    there === undefined
      ? `The library at ${target.root} is not there any more.`
      : `At ${target.root} lies another library than last time.`,
    { hint: 'Is its disk mounted? If it is gone for good, use --new-library.' },
  )
}

function layersOf({ retries, bwlimit }: Config): LayerSettings {
  return { retries, ...(bwlimit === undefined ? {} : { bytesPerSecond: bwlimit }) }
}

function notice(reporter: PacedReporter, code: string, message: string): void {
  reporter.event({ event: 'notice', code, message })
}
