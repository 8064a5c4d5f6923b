import type { Layer } from '../destination.ts'
import { limitLayer } from './limit.ts'
import { bandwidthLayer } from './bandwidth.ts'
import { retryLayer } from './retry.ts'
import { systemTime, type Time } from './time.ts'
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
  time?: Time
  random?: () => number
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
  time = systemTime,
  random = Math.random,
}: RemoteLayers): Layer {
  const paced: Layer =
    bytesPerSecond === undefined ? (inner) => inner : bandwidthLayer({ bytesPerSecond, bucket, time })
  const timed = timeoutLayer({ idleMs: stallTimeoutMs, time })
  const limited = limitLayer({ limit, maxConcurrency, time })
  const retried = retryLayer({ retries, budget, patient: true, time, random })
  return (inner) => retried(limited(timed(paced(inner))))
}
