import type { Catalog } from '../client/destination.ts'
import type { Ledger } from '../state/ledger.ts'

/** As many as a catalog takes in one call. */
const replayedAtOnce = 1000

/** Tells the catalog of `url` what earlier runs had stored while it was out of reach; returns how many entries that were. */
export async function replay(ledger: Ledger, url: string, catalog: Catalog): Promise<number> {
  for (let told = 0; ;) {
    const entries = ledger.unrecorded(url, replayedAtOnce)
    if (entries.length === 0) return told
    await catalog.record(entries)
    ledger.recorded(
      url,
      entries.map(({ key }) => key),
    )
    told += entries.length
  }
}
