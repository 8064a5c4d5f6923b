import { type LocalPlace, putCatalogAside, type Place } from '../client/open.ts'
import type { Config } from '../config.ts'
import { LuminaError } from '../errors.ts'
import type { LuminaEvent } from '../events.ts'
import type { FolderTask } from '../pipeline/batch.ts'
import { startLane } from '../pipeline/lanes/client.ts'
import { createShared } from '../pipeline/lanes/shared.ts'
import type { PipelineOptions } from '../pipeline/options.ts'
import { Run, type RunResult } from '../pipeline/run.ts'
import type { Io } from '../report/io.ts'
import type { PacedReporter } from '../report/ndjson.ts'
import { listenForSignals, type Signals } from './signals.ts'

export interface Conduct {
  config: Config
  io: Io
  reporter: PacedReporter
  tasks: Iterable<FolderTask>
  place: Place
  /** The bit of this run's catalog in the ledger. */
  placeBit: number
  options: PipelineOptions
  lanes: number
}

export interface Conducted extends RunResult {
  signals: Signals
}

/** Starts lanes, lets them work through the tasks, and hears signals and a reader's hangup meanwhile. */
export async function conduct({
  config,
  io,
  reporter,
  tasks,
  place,
  placeBit,
  options,
  lanes,
}: Conduct): Promise<Conducted> {
  const shared = createShared(lanes, config.maxTransfer)
  const emit = (event: LuminaEvent): void => {
    if (event.event === 'retrying') run.retried()
    reporter.event(event)
  }
  const run = new Run(tasks, {
    lanes,
    startLane: (index) => startLane({ index, options, stateDir: config.state, place, placeBit, shared }, emit),
    shared,
    emit,
    options,
    drained: () => reporter.drained(),
    nowMs: () => performance.now(),
    ...(config.maxDuration === undefined ? {} : { maxDurationMs: config.maxDuration }),
  })
  const signals = listenForSignals((signal) => {
    emit({
      event: 'notice',
      code: 'stopping',
      message: `${signal}: what is on the wire comes to its end; once more ends it now.`,
    })
    run.stop('interrupted')
  })
  const onHangup = (): void => run.stop('interrupted')
  io.hangup.addEventListener('abort', onHangup, { once: true })
  try {
    const result = await run.run()
    if (place.kind === 'local' && result.error?.code === 'state-corrupt' && fills(options))
      result.error = setAside(place, result.error)
    return { ...result, signals }
  } finally {
    io.hangup.removeEventListener('abort', onHangup)
  }
}

/** Whether a run may change the library. */
function fills({ task, dryRun }: PipelineOptions): boolean {
  return task !== 'verify' && !dryRun
}

function setAside(place: LocalPlace, cause: LuminaError): LuminaError {
  const path = putCatalogAside(place)
  return new LuminaError(
    'state-corrupt',
    `The catalog of the library was found damaged, and is set aside as ${path}.`,
    {
      cause,
      hint: 'Run the same command again: the catalog is made again from the stored files, and nothing is sent twice.',
    },
  )
}

/** The end of a process whose lanes are blocked for good: only a signal ends their threads. */
export function endStuckProcess(signals: Signals): void {
  const signal = signals.received() ?? 'SIGKILL'
  signals.close()
  process.kill(process.pid, signal)
}
