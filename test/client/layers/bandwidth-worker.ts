import { workerData } from 'node:worker_threads'

import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { bandwidthLayer } from '../../../src/client/layers/bandwidth.ts'

/** Sends through the rate that threads share, read by buffers of a size of its own, while the clock stands still. */
const { bucket, chunkBytes, bytesPerSecond, bytes } = workerData as {
  bucket: BigInt64Array
  chunkBytes: number
  bytesPerSecond: number
  bytes: number
}
const ctx = { signal: new AbortController().signal, checkpoint: () => undefined }
const time = { nowMs: () => 1000, sleep: () => new Promise<void>((resolve) => void setImmediate(resolve)) }
const limited = bandwidthLayer({ bytesPerSecond, bucket, time })({
  ...memoryDestination(),
  async put(key, source) {
    const buffer = new Uint8Array(chunkBytes)
    for (let at = 0; at < source.bytes;) at += await source.read(buffer, at)
    return { key, bytes: source.bytes }
  },
})

await limited.put(
  'a',
  { bytes, kind: 'image/jpeg', read: (into, offset) => Math.min(into.length, bytes - offset) },
  ctx,
)
