import type { CallContext, Layer, Source } from '../destination.ts'
import { oneByOne, withRead } from './around.ts'
import { systemTime, type Time } from './time.ts'

/**
 * What a late timer may catch up on, and what an idle moment may save up: more than a timer is late on a busy machine, and 5 % of
 * one second.
 */
const creditMs = 50
/** Reads are cut into pieces of this long at the full rate, so that a slow rate is a trickle and not a stop-and-go. */
const pieceMs = 50
/** Below this, system calls cost more than the smoothness brings. */
const minPieceBytes = 512

export interface BandwidthOptions {
  bytesPerSecond: number
  /** Shared by all lanes: `bandwidthBucket()`. */
  bucket?: BigInt64Array
  time?: Time
}

/** When, in microseconds of the process's monotonic clock, all bytes taken so far are paid for. */
export function bandwidthBucket(): BigInt64Array {
  return new BigInt64Array(new SharedArrayBuffer(8))
}

/** Holds the bytes of all lanes together, sent and received, to one rate. */
export function bandwidthLayer(options: BandwidthOptions): Layer {
  const pace = new Pace(options)
  return (inner) => {
    const get = inner.get?.bind(inner)
    const { resumable } = inner
    return {
      ...inner,
      put: (key, source, ctx) => inner.put(key, pace.paced(source, ctx), ctx),
      ...(get && {
        get: (key, from, ctx) =>
          oneByOne(get(key, from, ctx), async (ask) => {
            const next = await ask()
            if (!next.done) await pace.pay(next.value.length, ctx)
            return next
          }),
      }),
      ...(resumable && {
        resumable: {
          ...resumable,
          append: (token, source, offset, ctx) => resumable.append(token, pace.paced(source, ctx), offset, ctx),
        },
      }),
    }
  }
}

class Pace {
  readonly #pieceBytes: number
  readonly #usPerByte: number
  readonly #bucket: BigInt64Array
  readonly #time: Time

  constructor({ bytesPerSecond, bucket = bandwidthBucket(), time = systemTime }: BandwidthOptions) {
    this.#pieceBytes = Math.max(minPieceBytes, Math.floor((bytesPerSecond * pieceMs) / 1000))
    this.#usPerByte = 1e6 / bytesPerSecond
    this.#bucket = bucket
    this.#time = time
  }

  paced(source: Source, ctx: CallContext): Source {
    const paid = (got: number): number | Promise<number> => this.pay(got, ctx)?.then(() => got) ?? got
    return withRead(source, (into, offset) => {
      const got = source.read(into.length > this.#pieceBytes ? into.subarray(0, this.#pieceBytes) : into, offset)
      return typeof got === 'number' ? paid(got) : got.then(paid)
    })
  }

  /** Resolves when `bytes` more may have gone by; `undefined`: at once. */
  pay(bytes: number, ctx: CallContext): Promise<void> | undefined {
    const nowUs = BigInt(Math.round(this.#time.nowMs() * 1000))
    const paidUs = this.#charge(BigInt(Math.ceil(bytes * this.#usPerByte)), nowUs)
    const waitMs = Number(paidUs - nowUs) / 1000
    return waitMs > 0 ? this.#time.sleep(waitMs, ctx.signal) : undefined
  }

  #charge(costUs: bigint, nowUs: bigint): bigint {
    const earliestUs = nowUs - BigInt(creditMs * 1000)
    for (let was = Atomics.load(this.#bucket, 0); ;) {
      const paidUs = (was > earliestUs ? was : earliestUs) + costUs
      const found = Atomics.compareExchange(this.#bucket, 0, was, paidUs)
      if (found === was) return paidUs
      was = found
    }
  }
}
