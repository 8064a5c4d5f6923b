import { afterAll, describe, it } from 'vitest'
import { schema } from '../../../src/client/catalogs/sql/schema.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { movedClock, postgresPlace } from '../../postgres/place.ts'
import { postgresForTests } from '../../postgres/server.ts'

const postgres = await postgresForTests()

describe.skipIf(!postgres)('the shared catalog in Postgres', async () => {
  it('has a Postgres to be tested with', () => undefined)
  if (!postgres) return
  afterAll(() => postgres.stop())
  const url = await postgres.database()
  await postgres.run(url, `${schema};${movedClock}`)

  testCatalog('postgres', (clock) => postgresPlace(postgres, url, clock), { leasesOnly: true })
})
