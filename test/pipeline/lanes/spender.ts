import { parentPort, workerData } from 'node:worker_threads'
import { spend, type SharedState } from '../../../src/pipeline/lanes/shared.ts'

const { shared, seed } = workerData as { shared: SharedState; seed: number }

/** Asks until it was refused often, long after nothing is left: what it got is told. */
let spent = 0
for (let refused = 0, at = seed; refused < 20_000; at++) {
  const bytes = 1 + (at % 97)
  try {
    spend(shared, bytes)
    spent += bytes
  } catch {
    refused++
  }
  if (spent > 100_000_000) break
}
parentPort?.postMessage(spent)
