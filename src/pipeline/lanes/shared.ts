import { LuminaError } from '../../errors.ts'

/**
 * What lanes and the main thread share without messages: a lane in the middle of a long read still sees that it should stop, and the
 * main thread sees how far it is.
 */
export interface SharedState {
  /** One cell: go on, or why to stop at the next checkpoint. */
  readonly stop: Int32Array
  /** Per lane, all bytes that it has sent so far: what a batch sent is taken off when the batch is reported. */
  readonly sentBytes: Float64Array
  /** Bytes that may still be sent; below 0 there is no limit. */
  readonly allowance: BigInt64Array
}

const stops = { interrupted: 1, limit: 2 } as const
export type StopReason = keyof typeof stops

export function createShared(lanes: number, maxTransferBytes?: number): SharedState {
  const shared: SharedState = {
    stop: new Int32Array(new SharedArrayBuffer(4)),
    sentBytes: new Float64Array(new SharedArrayBuffer(8 * lanes)),
    allowance: new BigInt64Array(new SharedArrayBuffer(8)),
  }
  shared.allowance[0] = BigInt(maxTransferBytes ?? -1)
  return shared
}

export function requestStop({ stop }: SharedState, reason: StopReason): void {
  Atomics.compareExchange(stop, 0, 0, stops[reason])
}

/** @throws `interrupted` or `limit` once the run was told to stop. */
export function checkpoint({ stop }: SharedState): void {
  switch (Atomics.load(stop, 0)) {
    case 0:
      return
    case stops.limit:
      throw limitReached()
    default:
      throw new LuminaError('interrupted', 'The run was interrupted.')
  }
}

/** Takes `bytes` off what may still be sent. @throws `limit` when there is not so much left. */
export function spend({ allowance }: SharedState, bytes: number): void {
  const wanted = BigInt(bytes)
  for (let left = Atomics.load(allowance, 0); left >= 0n;) {
    if (left < wanted) throw limitReached()
    // never below 0 for a moment, which another lane would take for no limit
    const before = Atomics.compareExchange(allowance, 0, left, left - wanted)
    if (before === left) return
    left = before
  }
}

function limitReached(): LuminaError {
  return new LuminaError('limit', 'The run has reached its limit.', { hint: 'Run the same command again to go on.' })
}
