import { logCatalog } from '../../../src/client/catalogs/log.ts'
import { LuminaError } from '../../../src/errors.ts'
import { claimOf, entryOf } from '../../contract/catalog-entries.ts'

/** Claims and records contents of its own until it is killed, and says which are recorded. */
const [path = '', indexPath = '', holder = '', leaseMs = ''] = process.argv.slice(2)
const catalog = logCatalog({ path, indexPath, id: 'test', holder, lockLeaseMs: Number(leaseMs) })

for (let batch = 0; ; batch++) {
  const texts = Array.from({ length: 20 }, (_, at) => `${holder}-${batch}-${at}`)
  try {
    await catalog.claim(texts.map((text) => claimOf(text)))
    await catalog.record(texts.map((text) => entryOf(text)))
    process.stdout.write(`${texts.join(' ')}\n`)
  } catch (error) {
    if (!(error instanceof LuminaError) || error.code !== 'destination-busy') throw error
  }
}
