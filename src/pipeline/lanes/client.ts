import { Worker } from 'node:worker_threads'

import { errorFrom, LuminaError } from '../../errors.ts'
import type { Emit } from '../../events.ts'
import type { Batch, FolderTask, Scanned } from '../batch.ts'
import type { Worked } from '../work.ts'
import type { LaneSettings } from './entry.ts'
import type { FromLane, ToLane } from './messages.ts'

/** A lane as the scheduler sees it, in whatever thread it runs. */
export interface LaneClient {
  scan(tasks: readonly FolderTask[]): Promise<Scanned>
  work(batch: Batch): Promise<Worked>
  /** Ends its waits. */
  stop(): void
  close(): Promise<void>
}

/**
 * Young objects of a lane die with their batch; more room for them would only be held. A small old generation is collected before it
 * has doubled, a large one after it has grown fourfold; a lane's own holds 8 MB.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 }

/** Built, every chunk lies in one folder; from source, each file in its own. */
const entryFile = import.meta.url.endsWith('.ts') ? './entry.ts' : './lane.js'

/** Starts a lane in a thread of its own. */
export function startLane(settings: LaneSettings, emit: Emit): LaneClient {
  const worker = new Worker(new URL(entryFile, import.meta.url), {
    workerData: settings,
    // Node 22 calls node:sqlite experimental, in each thread anew
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits,
  })
  return clientOf(worker, emit)
}

function clientOf(worker: Worker, emit: Emit): LaneClient {
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: unknown) => void }>()
  let ids = 0
  /** Why the thread is no more. */
  let gone: { error: unknown } | undefined
  const fail = (error: unknown): void => {
    gone ??= { error }
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  worker.on('message', (message: FromLane) => {
    if ('event' in message) return emit(message.event)
    const call = waiting.get(message.id)
    waiting.delete(message.id)
    if ('error' in message) call?.reject(errorFrom(message.error))
    else call?.resolve(message.result as never)
  })
  worker.on('error', fail)
  worker.on('exit', (code) => fail(new LuminaError('bug', `A lane ended by itself (exit code ${code}).`)))

  const ask = <T>(message: (id: number) => ToLane): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      // what is asked of a thread that ended is never answered
      if (gone) return reject(gone.error)
      const id = ids++
      waiting.set(id, { resolve, reject })
      worker.postMessage(message(id))
    })

  return {
    scan: (tasks) => ask((id) => ({ id, call: 'scan', tasks })),
    work: (batch) => ask((id) => ({ id, call: 'work', batch })),
    stop: () => worker.postMessage({ call: 'stop' } satisfies ToLane),
    async close() {
      // one that ended by itself has told why where it was waited for
      await ask((id) => ({ id, call: 'close' })).catch((error: unknown) => {
        if (!gone) throw error
      })
      worker.removeAllListeners('exit')
      await worker.terminate()
    },
  }
}
