import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CallFunction, functionsCatalog } from '../../../src/client/catalogs/functions.ts'
import { postgresCatalog } from '../../../src/client/catalogs/postgres.ts'
import { LuminaError } from '../../../src/errors.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { freePort, postgresForTests } from '../../postgres/server.ts'

const postgres = await postgresForTests()

describe.skipIf(!postgres)('a catalog in Postgres', () => {
  let connection: string
  beforeAll(async () => {
    connection = (await postgres?.database()) ?? ''
  })
  afterAll(() => postgres?.stop())

  const open = (url = connection): ReturnType<typeof postgresCatalog> => {
    const who = { library: randomUUID(), holder: 'me' }
    return postgresCatalog({ connection: url, ...who, pool: { min: 0, max: 2 }, statementTimeoutMs: 30_000 })
  }
  const asUser = (url: string, user: string, password: string): string => {
    const other = new URL(url)
    other.username = user
    other.password = password
    return other.href
  }
  const secret = 'hidden-word'
  /** What opening fails with; nothing in it holds the password. */
  const failureOf = async (url: string): Promise<LuminaError> => {
    const error: unknown = await open(url).catch((failure: unknown) => failure)
    if (!(error instanceof LuminaError)) throw new Error(`It should fail, and not as ${String(error)}.`)
    expect(inspect(error, { depth: 20, showHidden: true }) + error.stack).not.toContain(secret)
    return error
  }

  describe('says what is wrong, and never the password,', () => {
    it('when nobody is there', async () => {
      const port = await freePort()
      const error = await failureOf(`postgres://user:${secret}@127.0.0.1:${port}/photos`)
      expect(error).toMatchObject({ code: 'destination-unreachable', retry: 'exhausted' })
      expect(error.message).toContain(`127.0.0.1:${port}/photos`)
    })

    it('when the password is wrong', async () => {
      const error = await failureOf(asUser(connection, 'postgres', secret))
      expect(error).toMatchObject({ code: 'destination-refused', retry: 'never' })
    })

    it('when there is no such database', async () => {
      const url = new URL(connection)
      url.pathname = '/nowhere'
      expect(await failureOf(url.href)).toMatchObject({ code: 'destination-missing', retry: 'never' })
    })

    it.each([`postgres://user:${secret}@ho st/photos`, `postgres://user:${secret}@host:99999/photos`, secret])(
      'when it is told no address',
      async (url) => {
        expect(await failureOf(url)).toMatchObject({ code: 'config', retry: 'never' })
      },
    )

    it('when this user may not set it up', async () => {
      const database = (await postgres?.database()) ?? ''
      await postgres?.run(database, `create role may_nothing login password '${secret}'`)
      try {
        const error = await failureOf(asUser(database, 'may_nothing', secret))
        expect(error).toMatchObject({ code: 'destination-missing', retry: 'never' })
        expect(error.hint).toContain('lumina init')
      } finally {
        await postgres?.run(database, 'drop role may_nothing')
      }
    })

    it('when this user may not use what another has set up', async () => {
      await (await open()).close()
      await postgres?.run(connection, `create role stranger login password '${secret}'`)
      try {
        expect(await failureOf(asUser(connection, 'stranger', secret))).toMatchObject({
          code: 'destination-refused',
          retry: 'never',
        })
      } finally {
        await postgres?.run(connection, 'drop role stranger')
      }
    })

    it('when the database can only be read', async () => {
      const database = (await postgres?.database()) ?? ''
      const name = new URL(database).pathname.slice(1)
      const catalog = await open(database)
      await catalog.close()
      await postgres?.run(database, `alter database ${name} set default_transaction_read_only = on`)
      const reader = await open(database)
      await expect(reader.claim([claimOf('a')])).rejects.toMatchObject({ code: 'destination-read-only' })
      await reader.close()
    })

    it('when a newer Lumina has set it up', async () => {
      const database = (await postgres?.database()) ?? ''
      await (await open(database)).close()
      const newer = `create or replace function lumina.version() returns integer language sql immutable as 'select 99'`
      await postgres?.run(database, newer)
      expect(await failureOf(database)).toMatchObject({ code: 'state-newer' })
    })
  })

  describe('goes on', () => {
    it('when its connections are cut between two calls', async () => {
      const catalog = await open()
      await catalog.claim([claimOf('a')])
      const cut = 'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = '
      await postgres?.run(connection, `${cut}'${new URL(connection).pathname.slice(1)}'`)
      await catalog.record([entryOf('a')])
      expect(await catalog.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), 'a.jpg']]))
      await catalog.close()
    })

    it.skipIf(!postgres?.crash)('when the database crashes in mid-run and is back', async () => {
      const catalog = await open()
      const identity = await catalog.identity()
      expect(await catalog.claim([claimOf('a'), claimOf('b')])).toEqual([{ answer: 'granted' }, { answer: 'granted' }])
      await postgres?.crash?.()
      const calls = [catalog.record([entryOf('a')]), catalog.claim([claimOf('c')])] as const
      await postgres?.start?.()
      expect((await Promise.all(calls))[1]).toEqual([{ answer: 'granted' }])
      expect(await catalog.identity()).toEqual(identity)
      expect(await catalog.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), 'a.jpg']]))
      // what was claimed before is still claimed
      expect(await catalog.claim([claimOf('b')])).toMatchObject([{ answer: 'held', own: true }])
      await catalog.close()
    })

    it('when an answer is lost: what was granted is granted again, and nothing is recorded twice', async () => {
      const line = await lossyLine(connection)
      const catalog = functionsCatalog(line.call, { library: randomUUID(), holder: 'me', sleep: async () => undefined })
      line.losses = 2
      const wants = [claimOf('a'), claimOf('a'), claimOf('b', { key: 'a.jpg' }), claimOf('c')]
      expect((await catalog.claim(wants)).map(({ answer }) => answer)).toEqual([
        'granted',
        'held',
        'key-taken',
        'granted',
      ])
      line.losses = 2
      await catalog.record([entryOf('a')])
      line.losses = 1
      await catalog.release([claimOf('c')])
      expect(await catalog.claim([claimOf('c')])).toEqual([{ answer: 'granted' }])
      const entries = []
      for await (const entry of catalog.entries()) entries.push(entry)
      expect(entries).toEqual([entryOf('a')])
      await line.close()
    })

    it('when a claim was granted and its holder could not be told at all: it is not stuck on it', async () => {
      const line = await lossyLine(connection)
      const options = { library: randomUUID(), sleep: async () => undefined }
      const catalog = functionsCatalog(line.call, { ...options, holder: 'me' })
      line.losses = 100
      await expect(catalog.claim([claimOf('a')])).rejects.toMatchObject({ retry: 'exhausted' })
      line.losses = 0
      expect(await catalog.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
      await line.close()
    })
  })

  describe('asks again', () => {
    const failing = (error: LuminaError): { asked: number; waits: number[]; catalog: Catalog } => {
      const told = { asked: 0, waits: [] as number[] }
      const call: CallFunction = async () => {
        told.asked += 1
        throw error
      }
      const sleep = async (delayMs: number): Promise<void> => void told.waits.push(delayMs)
      return Object.assign(told, {
        catalog: functionsCatalog(call, { library: 'x', holder: 'me', sleep, random: () => 1 }),
      })
    }

    it('a few times, with longer and longer waits, and then says that it gave up', async () => {
      const { catalog, waits } = failing(new LuminaError('destination-busy', 'Later.', { retry: 'transient' }))
      await expect(catalog.identity()).rejects.toMatchObject({ code: 'destination-busy', retry: 'exhausted' })
      expect(waits).toEqual([200, 400, 800, 1600, 3200, 5000])
    })

    it('not before the time it was told', async () => {
      const error = new LuminaError('destination-busy', 'Later.', { retry: 'transient', retryAfterMs: 4000 })
      const { catalog, waits } = failing(error)
      await expect(catalog.identity()).rejects.toMatchObject({ code: 'destination-busy' })
      expect(Math.min(...waits)).toBe(4000)
    })

    it('never where that cannot help', async () => {
      const told = failing(new LuminaError('destination-refused', 'No.'))
      await expect(told.catalog.identity()).rejects.toMatchObject({ code: 'destination-refused', retry: 'never' })
      expect(told.asked).toBe(1)
    })
  })
})

type Catalog = ReturnType<typeof functionsCatalog>

/** Makes each call, and then loses as many answers as it is told to. */
async function lossyLine(url: string): Promise<{ losses: number; call: CallFunction; close: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const line = {
    losses: 0,
    call: async (name: string, args: Readonly<Record<string, unknown>>): Promise<unknown> => {
      const named = Object.keys(args).map((argument, at) => `${argument} => $${at + 1}`)
      const values = Object.values(args).map((value) =>
        typeof value === 'object' && value !== null ? JSON.stringify(value) : value,
      )
      const { rows } = await client.query<{ answer: unknown }>(
        `select lumina.${name}(${named.join(', ')}) as answer`,
        values,
      )
      if (line.losses-- > 0) throw new LuminaError('destination-unreachable', 'Lost.', { retry: 'transient' })
      return rows[0]?.answer
    },
    close: () => client.end(),
  }
  return line
}
