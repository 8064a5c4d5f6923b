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

/** When, in nanoseconds of the process's monotonic clock, all bytes taken so far are paid for: a small read costs no whole microsecond. */
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
  readonly #nsPerByte: number
  readonly #bucket: BigInt64Array
  readonly #time: Time

  constructor({ bytesPerSecond, bucket = bandwidthBucket(), time = systemTime }: BandwidthOptions) {
    this.#pieceBytes = Math.max(minPieceBytes, Math.floor((bytesPerSecond * pieceMs) / 1000))
    this.#nsPerByte = 1e9 / bytesPerSecond
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
    const nowNs = BigInt(Math.round(this.#time.nowMs() * 1e6))
    const paidNs = this.#charge(BigInt(Math.ceil(bytes * this.#nsPerByte)), nowNs)
    const waitMs = Number(paidNs - nowNs) / 1e6
    return waitMs > 0 ? this.#time.sleep(waitMs, ctx.signal) : undefined
  }

  #charge(costNs: bigint, nowNs: bigint): bigint {
    const earliestNs = nowNs - BigInt(creditMs * 1e6)
    for (let was = Atomics.load(this.#bucket, 0); ;) {
      const paidNs = (was > earliestNs ? was : earliestNs) + costNs
      const found = Atomics.compareExchange(this.#bucket, 0, was, paidNs)
      if (found === was) return paidNs
      was = found
    }
  }
}
