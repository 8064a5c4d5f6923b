import type { ErrorReport } from '../../errors.ts'
import type { LuminaEvent } from '../../events.ts'
import type { Batch, FolderTask } from '../batch.ts'

/** From the main thread to a lane. */
export type ToLane =
  | { id: number; call: 'scan'; tasks: readonly FolderTask[] }
  | { id: number; call: 'work'; batch: Batch }
  | { id: number; call: 'close' }
  /** Ends every wait; what is under way ends at its next checkpoint. */
  | { call: 'stop' }

/** From a lane to the main thread. */
export type FromLane = { id: number; result: unknown } | { id: number; error: ErrorReport } | { event: LuminaEvent }
