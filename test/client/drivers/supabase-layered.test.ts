import type { Destination } from '../../../src/client/destination.ts'
import { bandwidthBucket } from '../../../src/client/layers/bandwidth.ts'
import { createLimit } from '../../../src/client/layers/limit.ts'
import { remoteLayers } from '../../../src/client/layers/remote.ts'
import { retryBudget } from '../../../src/client/layers/retry.ts'
import { testDestination } from '../../contract/destination.ts'
import { supabaseSubject } from './supabase-subject.ts'

/** The contract, through everything that stands around the driver in a run. */
testDestination('Supabase Storage in its layers', async () => {
  const shared = {
    retryBudget: retryBudget(),
    bandwidth: bandwidthBucket(),
    limit: createLimit({ concurrency: 4, maxConcurrency: 16 }),
  }
  const layered = (inner: Destination): Destination =>
    remoteLayers({
      ...shared,
      retries: 2,
      maxConcurrency: 16,
      stallTimeoutMs: 30_000,
      bytesPerSecond: 10_000_000_000,
    })(inner)
  const subject = await supabaseSubject()
  const { destination, reopen } = subject
  return { ...subject, destination: layered(destination), reopen: () => layered(reopen?.() ?? destination) }
})
