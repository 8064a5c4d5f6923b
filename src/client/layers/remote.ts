import type { Layer } from '../destination.ts'
import { limitLayer } from './limit.ts'
import { bandwidthLayer } from './bandwidth.ts'
import { retryLayer } from './retry.ts'
import { timeoutLayer } from './timeout.ts'

export interface RemoteLayers {
  retries: number
  retryBudget: Int32Array
  /** Of `createLimit()`. */
  limit: Int32Array
  maxConcurrency: number
  stallTimeoutMs: number
  bytesPerSecond?: number
  bandwidth: BigInt64Array
}

/** What stands around a service, from the inside out: the rate of bytes, the clock over each call, its slot, its further tries. */
export function remoteLayers({
  retries,
  retryBudget: budget,
  limit,
  maxConcurrency,
  stallTimeoutMs,
  bytesPerSecond,
  bandwidth: bucket,
}: RemoteLayers): Layer {
  const paced: Layer = bytesPerSecond === undefined ? (inner) => inner : bandwidthLayer({ bytesPerSecond, bucket })
  const timed = timeoutLayer({ idleMs: stallTimeoutMs })
  const limited = limitLayer({ limit, maxConcurrency })
  const retried = retryLayer({ retries, budget })
  return (inner) => retried(limited(timed(paced(inner))))
}
