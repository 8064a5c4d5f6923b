import { openCatalog, openDestination, type SupabaseTarget } from '../client/open.ts'
import type { Config } from '../config.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import { addTally, emptyTally, sumOf } from '../pipeline/batch.ts'
import { indexObjects } from '../pipeline/index-objects.ts'
import type { Io } from '../report/io.ts'
import { reporterFor } from '../report/reporter.ts'
import { openService } from './places.ts'
import { checkStateDir, holderOf, lockRun } from './session.ts'
import { listenForSignals } from './signals.ts'

/** Takes what lies under a service's prefix, and is in no catalog yet, into its catalog; resolves with the exit code. */
export async function indexService(config: Config, target: SupabaseTarget, io: Io): Promise<number> {
  checkStateDir(config.state)
  const holder = holderOf(config.state, { roots: [target.url] }, target)
  const lock = await lockRun(config, holder, io)
  const reporter = reporterFor(config, io)
  const stopping = new AbortController()
  const signals = listenForSignals(() => stopping.abort(new LuminaError('interrupted', 'The run was interrupted.')))
  const tally = emptyTally()
  const begunMs = performance.now()
  let ended: 'interrupted' | undefined
  try {
    const place = await openService(target, config, holder, reporter, { make: true })
    const catalog = await openCatalog(place)
    const destination = await openDestination(place, 0)
    try {
      await catalog.releaseOwn()
      await indexObjects({
        destination,
        catalog,
        prefix: target.prefix,
        allFiles: config.allFiles,
        detail: reporter.wants === 'each',
        call: { signal: stopping.signal, checkpoint: () => stopping.signal.throwIfAborted() },
        report(report) {
          addTally(tally, report.tally)
          for (const event of report.events) reporter.event(event)
        },
      })
    } catch (error) {
      if (!(error instanceof LuminaError) || error.code !== 'interrupted') throw error
      ended = 'interrupted'
    } finally {
      await destination.close?.()
      await catalog.close()
    }
    reporter.event({
      event: 'index-summary',
      found: tally.found,
      indexed: tally.uploaded,
      skipped: sumOf(tally.skipped),
      failed: tally.failed,
      bytes: tally.uploadedBytes,
      seconds: (performance.now() - begunMs) / 1000,
      skippedBy: tally.skipped,
      destination: target.shown,
      ...(ended === undefined ? {} : { ended }),
    })
    await reporter.drained()
    return signals.exitCode() ?? (tally.failed > 0 ? exitCodes.someFailed : exitCodes.done)
  } finally {
    signals.close()
    reporter.close()
    lock.release()
  }
}
