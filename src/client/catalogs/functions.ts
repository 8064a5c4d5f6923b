import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'

import { LuminaError } from '../../errors.ts'
import type { Catalog, CatalogEntry, CatalogIdentity, Claim, ClaimAnswer, Sha256 } from '../destination.ts'
import { leaseMs } from './rows.ts'
import { storable, storableName, stored, storedName } from './sql/text.ts'

/** Calls a function of the migration (`sql/schema.ts`), by its name and its named arguments. @throws LuminaError */
export type CallFunction = (name: string, args: Readonly<Record<string, unknown>>) => Promise<unknown>

export interface FunctionsCatalogOptions {
  /** Which contents belong together: those of one destination. Holds no secret. */
  library: string
  /** Who claims; one run on one machine. */
  holder: string
  close?: () => Promise<void>
  sleep?: (delayMs: number) => Promise<unknown>
  random?: () => number
}

export interface FunctionsCatalog extends Catalog {
  /** Frees what earlier runs of this holder, now certainly dead, had claimed. */
  releaseOwn(): Promise<void>
}

const batchSize = 1000
/** A database that is started again is back after some seconds; the waits come to 6 s on average. */
const mostTries = 7
const firstDelayMs = 200
const longestDelayMs = 5000

/**
 * The catalog that machines share, by whatever carries its calls. Each call may be made again after its answer was lost, and is, as
 * long as its failure is `transient`: a claim has a number, and what was granted to it is granted again.
 */
export function functionsCatalog(
  carry: CallFunction,
  { library, holder, close, sleep = wait, random = Math.random }: FunctionsCatalogOptions,
): FunctionsCatalog {
  const call: CallFunction = (name, args) =>
    persistently(() => carry(name, { p_library: library, ...args }), sleep, random)
  const own = { p_holder: holder }
  /** Calls that may have been granted something, of which nobody ever heard. */
  const unheard = new Set<string>()

  const claim = async (wants: readonly Claim[]): Promise<ClaimAnswer[]> => {
    for (const lost of unheard) {
      await call('release_own', { ...own, p_call: lost })
      unheard.delete(lost)
    }
    const number = randomUUID()
    const asked = { ...own, p_call: number, p_wants: wants.map(wished), p_lease_ms: leaseMs }
    try {
      return (await call('claim', asked)) as ClaimAnswer[]
    } catch (error) {
      // only now: while it is under way, it is for whoever waits for it, and not for another claim to take back
      unheard.add(number)
      throw error
    }
  }
  const keysOf = async (name: string, digests: readonly Sha256[]): Promise<Map<Sha256, string>> => {
    const found = await inBatches(digests, async (batch) =>
      Object.entries((await call(name, { p_digests: batch })) as Record<Sha256, string>),
    )
    return new Map(found)
  }

  return {
    identity: async () => (await call('identity', {})) as CatalogIdentity,
    known: (digests) => keysOf('known', digests),
    located: (digests) => keysOf('located', digests),
    resembling: (probes) =>
      inBatches(probes, async (batch) => (await call('resembling', { p_probes: batch })) as boolean[]),
    claim: (wants) => inBatches(wants, claim),
    async renew() {
      await call('renew', { ...own, p_lease_ms: leaseMs })
    },
    async release(claims) {
      await inBatches(claims, async (batch) => {
        await call('release', { ...own, p_claims: batch.map(({ digest, key }) => ({ digest, key })) })
        return []
      })
    },
    async record(entries) {
      await inBatches(entries, async (batch) => {
        await call('record', { ...own, p_entries: batch.map(sent) })
        return []
      })
    },
    async forget(keys) {
      await inBatches(keys, async (batch) => {
        await call('forget', { p_keys: batch })
        return []
      })
    },
    async *entries() {
      for (let after = ''; ;) {
        const page = (await call('entries', { p_after: after, p_page: batchSize })) as CatalogEntry[]
        yield* page.map(received)
        const last = page.at(-1)
        if (!last) return
        after = last.key
      }
    },
    async releaseOwn() {
      await call('release_own', { ...own, p_call: null })
    },
    async close() {
      await close?.()
    },
  }
}

async function inBatches<I, O>(items: readonly I[], ask: (batch: readonly I[]) => Promise<readonly O[]>): Promise<O[]> {
  const answers: O[] = []
  for (let at = 0; at < items.length; at += batchSize) answers.push(...(await ask(items.slice(at, at + batchSize))))
  return answers
}

/** Asks again after a transient failure: exponential, with full jitter. @throws the last one, as `exhausted` */
export async function persistently<T>(
  ask: () => Promise<T>,
  sleep: (delayMs: number) => Promise<unknown> = wait,
  random: () => number = Math.random,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof LuminaError) || error.retry !== 'transient') throw error
      if (tries === mostTries) throw exhausted(error)
      const delayMs = random() * Math.min(longestDelayMs, firstDelayMs * 2 ** (tries - 1))
      await sleep(Math.max(delayMs, error.retryAfterMs ?? 0))
    }
  }
}

function exhausted({ code, message, hint, cause }: LuminaError): LuminaError {
  return new LuminaError(code, message, { retry: 'exhausted', cause, ...(hint === undefined ? {} : { hint }) })
}

function wished({ digest, key, sidecar }: Claim): Claim {
  return { digest, key, sidecar }
}

function sent({ key, digest, bytes, kind, sidecar, name, head, modifiedMs, takenAt, camera }: CatalogEntry): object {
  return {
    key,
    digest,
    bytes,
    kind: storable(kind),
    sidecar,
    name: storableName(name),
    head,
    modifiedMs,
    takenAt: takenAt === undefined ? undefined : storable(takenAt),
    camera: camera === undefined ? undefined : storable(camera),
  }
}

function received(entry: CatalogEntry): CatalogEntry {
  const { kind, name, takenAt, camera } = entry
  return {
    ...entry,
    kind: stored(kind),
    name: storedName(name),
    ...(takenAt === undefined ? {} : { takenAt: stored(takenAt) }),
    ...(camera === undefined ? {} : { camera: stored(camera) }),
  }
}
