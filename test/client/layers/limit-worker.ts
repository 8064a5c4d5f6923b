import { workerData } from 'node:worker_threads'
import { sharedSlots } from '../../../src/client/layers/limit.ts'

/** Holds a shared slot again and again, and notes how many are held at once. */
const { cell, gauge, calls } = workerData as { cell: Int32Array; gauge: Int32Array; calls: number }
const slots = sharedSlots(cell)
const ctx = { signal: new AbortController().signal, checkpoint: () => undefined }

async function hold(): Promise<void> {
  await slots.acquire(ctx)
  const now = Atomics.add(gauge, 0, 1) + 1
  for (let most = Atomics.load(gauge, 1); now > most; most = Atomics.load(gauge, 1)) {
    Atomics.compareExchange(gauge, 1, most, now)
  }
  await new Promise(setImmediate)
  Atomics.sub(gauge, 0, 1)
  slots.release()
}

await Promise.all(Array.from({ length: calls }, hold))
