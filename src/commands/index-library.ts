import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  healCatalog,
  holdPlace,
  leavePlace,
  type LocalPlace,
  type LocalTarget,
  markFilled,
  openPlace,
  parseTarget,
} from '../client/open.ts'
import type { Config } from '../config.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import type { IndexSummaryEvent } from '../events.ts'
import { sumOf } from '../pipeline/batch.ts'
import type { Io } from '../report/io.ts'
import type { PacedReporter } from '../report/ndjson.ts'
import { reporterFor } from '../report/reporter.ts'
import { conduct, endStuckProcess, type Conducted } from './conduct.ts'
import { libraryOptions, surroundingsOf } from './places.ts'
import { checkStateDir, holderOf, lanesFor, lockRun, pipelineOptions } from './session.ts'

/** Takes what lies in a library, and is in no catalog yet, into its catalog; resolves with the exit code. */
export async function indexLibrary(config: Config, path: string, io: Io): Promise<number> {
  const target = parseTarget(path, surroundingsOf(config, io))
  if (target.kind !== 'local') return (await import('./index-service.ts')).indexService(config, target, io)
  return indexFolder(config, target, path, io)
}

async function indexFolder(config: Config, target: LocalTarget, path: string, io: Io): Promise<number> {
  if (!existsSync(target.root))
    throw new LuminaError('no-such-path', `There is no folder ${path}.`, {
      hint: 'Check the spelling, and whether its disk is mounted.',
    })
  checkStateDir(config.state)
  const holder = holderOf(config.state, { roots: [target.root] }, target)
  const lock = await lockRun(config, holder, io)
  const reporter = reporterFor(config, io)
  try {
    const place = openPlace(target, libraryOptions(config, holder))
    const hold = holdPlace(place)
    try {
      await healCatalog(place)
      const result = await fillCatalog(place, config, io, reporter)
      reporter.event(summaryOf(place, result))
      await reporter.drained()
      if (result.error) throw result.error
      if (!result.ended) markFilled(place)
      if (result.stuck) endStuckProcess(result.signals)
      return result.signals.exitCode() ?? (result.tally.failed > 0 ? exitCodes.someFailed : exitCodes.done)
    } finally {
      leavePlace(place, hold)
    }
  } finally {
    reporter.close()
    lock.release()
  }
}

/** Reads every object of the library at `place` and records it under the key that it has. */
export async function fillCatalog(
  place: LocalPlace,
  config: Config,
  io: Io,
  reporter: PacedReporter,
): Promise<Conducted> {
  const { target } = place
  const state = mkdtempSync(join(tmpdir(), 'lumina-index-'))
  try {
    return await conduct({
      // a library is taken as it is: what filters leave out of an upload may have been stored before
      config: { ...config, state },
      io,
      reporter,
      tasks: [{ path: target.root, dir: '', ignores: [] }],
      place,
      placeBit: 1,
      options: {
        ...pipelineOptions('index', config, place, reporter.wants === 'each'),
        filters: { include: [], exclude: [], ignoreLines: [], skipFolders: [] },
        rehash: true,
        dryRun: false,
        followSymlinks: false,
      },
      lanes: lanesFor(config, place),
    })
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

function summaryOf({ target }: LocalPlace, { tally, seconds, ended }: Conducted): IndexSummaryEvent {
  const { found, uploaded, uploadedBytes, skipped, failed } = tally
  return {
    event: 'index-summary',
    found,
    indexed: uploaded,
    skipped: sumOf(skipped),
    failed,
    bytes: uploadedBytes,
    seconds,
    skippedBy: skipped,
    destination: target.root,
    ...(ended === undefined ? {} : { ended }),
  }
}
