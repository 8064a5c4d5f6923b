import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe } from 'vitest'

import { postgresCatalog } from '../../../src/client/catalogs/postgres.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { clocked, clockSql } from '../../postgres/clocked.ts'
import { noPostgres, once, postgresForTests, type TestPostgres } from '../../postgres/server.ts'

describe.skipIf(noPostgres !== undefined)(`the contract${noPostgres ? `: ${noPostgres}` : ''}`, () => {
  let server: TestPostgres
  let connection: string
  let clockHand: pg.Client
  const open = (library: string, holder: string): ReturnType<typeof postgresCatalog> =>
    postgresCatalog({ connection, library, holder, pool: { min: 0, max: 2 }, statementTimeoutMs: 20_000 })
  beforeAll(async () => {
    server = await postgresForTests()
    connection = await server.database()
    await (await open('first', 'first')).close()
    await once(connection, clockSql)
    clockHand = new pg.Client({ connectionString: connection })
    await clockHand.connect()
  })
  afterAll(async () => {
    await clockHand.end()
    await server.stop()
  })

  testCatalog(
    'postgres',
    (clock) => {
      const library = randomUUID()
      const turn = (): Promise<unknown> =>
        clockHand.query('update lumina.test_clock set now_ms = $1 where now_ms <> $1', [clock.nowMs])
      return { nowMs: () => clock.nowMs, open: ({ holder }) => clocked(() => open(library, holder), turn) }
    },
    { blind: true },
  )
})
