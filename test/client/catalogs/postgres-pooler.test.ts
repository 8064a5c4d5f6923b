import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresCatalog } from '../../../src/client/catalogs/postgres.ts'
import { claimOf, entryOf } from '../../contract/catalog-entries.ts'
import { noPooler, type Pooler, poolerFor } from '../../postgres/pooler.ts'
import { postgresForTests } from '../../postgres/server.ts'

const postgres = noPooler === undefined ? await postgresForTests() : undefined

describe.skipIf(!postgres)(
  `a pooler that gives each transaction another session${noPooler ? `: ${noPooler}` : ''}`,
  () => {
    let pooler: Pooler
    beforeAll(async () => {
      pooler = await poolerFor((await postgres?.database()) ?? '', { size: 3 })
    })
    afterAll(async () => {
      await pooler.stop()
      await postgres?.stop()
    })

    const open = (library: string, holder: string): ReturnType<typeof postgresCatalog> =>
      postgresCatalog({ connection: pooler.url, library, holder, pool: { min: 0, max: 4 }, statementTimeoutMs: 30_000 })

    it('takes the setting up, and all calls of many clients on few sessions', async () => {
      const library = randomUUID()
      const holders = await Promise.all(Array.from({ length: 12 }, (_, at) => open(library, `${at}`)))
      const texts = Array.from({ length: 200 }, (_, at) => `${at}`)
      const granted = await Promise.all(
        holders.map(async (catalog) => {
          // several at once from one client, which then are on several sessions
          const parts = [texts.slice(0, 70), texts.slice(70, 140), texts.slice(140)]
          const own = await Promise.all(
            parts.map(async (part) => {
              const answers = await catalog.claim(part.map((text) => claimOf(text)))
              const mine = part.filter((_, at) => answers[at]?.answer === 'granted')
              await catalog.record(mine.map((text) => entryOf(text)))
              return mine
            }),
          )
          await catalog.renew()
          return own.flat()
        }),
      )
      expect(granted.flat().toSorted()).toEqual(texts.toSorted())
      const keys: string[] = []
      for await (const { key } of (await open(library, 'late')).entries()) keys.push(key)
      expect(keys).toHaveLength(texts.length)
      for (const catalog of holders) await catalog.close()
    })
  },
)
