import { workerData } from 'node:worker_threads'

import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { limitLayer } from '../../../src/client/layers/limit.ts'

/** Asks again and again through the limit that threads share, and notes how many calls are under way at once. */
const { limit, gauge, calls } = workerData as { limit: Int32Array; gauge: Int32Array; calls: number }
const ctx = { signal: new AbortController().signal, checkpoint: () => undefined }
const limited = limitLayer({ limit, maxConcurrency: 2 })({
  ...memoryDestination(),
  async stat() {
    const now = Atomics.add(gauge, 0, 1) + 1
    for (let most = Atomics.load(gauge, 1); now > most; most = Atomics.load(gauge, 1)) {
      Atomics.compareExchange(gauge, 1, most, now)
    }
    await new Promise(setImmediate)
    Atomics.sub(gauge, 0, 1)
    return undefined
  },
})

await Promise.all(Array.from({ length: calls }, () => limited.stat('a', ctx)))
