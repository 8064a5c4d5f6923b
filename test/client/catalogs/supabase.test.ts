import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { supabaseSql } from '../../../src/client/catalogs/sql/supabase.ts'
import { supabaseCatalog } from '../../../src/client/catalogs/supabase.ts'
import { type Credentials, fixedCredentials } from '../../../src/client/http/credentials.ts'
import { testCatalog } from '../../contract/catalog.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { type Gateway, rolesSql, rpcGateway } from '../../postgres/gateway.ts'
import { clockOf, movedClock, opening } from '../../postgres/place.ts'
import { postgresForTests } from '../../postgres/server.ts'

const postgres = await postgresForTests()

describe.skipIf(!postgres)('the shared catalog as Supabase functions', () => {
  it('has a Postgres to be tested with', () => undefined)
  if (!postgres) return
  let connection: string
  let gateway: Gateway
  const run = (sql: string, url = connection): Promise<{ rows: unknown[] }> => postgres.run(url, sql)

  beforeAll(async () => {
    connection = await postgres.database()
    for (const sql of [...rolesSql, supabaseSql]) await run(sql)
    gateway = await rpcGateway(connection)
  })
  afterAll(async () => {
    await gateway.close()
    await postgres.stop()
  })
  afterEach(() => {
    delete gateway.instead
  })

  const as = (role: string, more: object = {}): Credentials => fixedCredentials(gateway.token({ role, ...more }))
  const open = (
    library: string,
    credentials: Credentials,
    holder = 'me',
    waits: number[] = [],
  ): ReturnType<typeof supabaseCatalog> =>
    supabaseCatalog({
      url: gateway.url,
      credentials,
      library,
      holder,
      sleep: async (delayMs) => void waits.push(delayMs),
    })

  const begun = async (library: string, credentials: Credentials): Promise<unknown> =>
    (await open(library, credentials)).identity()

  describe('users', () => {
    it('look and add under their own name, and take nothing away', async () => {
      const library = randomUUID()
      const catalog = await open(library, as('authenticated', { sub: 'user-1' }))
      expect(await catalog.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
      await catalog.record([entryOf('a', { takenAt: '2024-05-01T10:00:00', camera: 'X100' })])
      expect(await catalog.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), 'a.jpg']]))
      const { rows } = await run('select "user", taken_at, camera from lumina.photos')
      expect(rows).toEqual([{ user: 'user-1', taken_at: '2024-05-01T10:00:00', camera: 'X100' }])
      await expect(catalog.forget(['a.jpg'])).rejects.toMatchObject({ code: 'destination-refused' })
      expect(await catalog.known([digestOf('a')])).toHaveProperty('size', 1)
      const service = await open(library, as('service_role'))
      await service.forget(['a.jpg'])
      expect(await catalog.known([digestOf('a')])).toEqual(new Map())
    })

    it('without a login get nothing', async () => {
      await expect(begun('any', as('anon'))).rejects.toMatchObject({ code: 'destination-refused', retry: 'never' })
      const stranger = fixedCredentials('not.a.token')
      await expect(begun('any', stranger)).rejects.toMatchObject({ code: 'destination-refused', retry: 'never' })
    })

    it('may call each function once they are logged in, and none before', async () => {
      const allowed = (role: string): string =>
        `array_agg(distinct has_function_privilege('${role}', p.oid, 'execute')) as ${role}`
      const sql = `select ${['anon', 'authenticated', 'service_role'].map(allowed).join(', ')} from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'lumina'::regnamespace)`
      expect((await run(sql)).rows).toEqual([{ anon: [false], authenticated: [true], service_role: [true] }])
    })

    it('cannot touch the tables beside the functions', async () => {
      const tried = (role: string, sql: string): Promise<unknown> =>
        run(`begin; set local role ${role}; ${sql}; commit`)
      await begun('tables', as('authenticated'))
      for (const sql of [
        'delete from lumina.photos',
        "update lumina.photos set key = 'x'",
        'update lumina.library set epoch = 7',
        'delete from lumina.library',
        'select * from lumina.library; truncate lumina.claim',
      ])
        await expect(tried('authenticated', sql)).rejects.toThrow(/permission denied/)
      for (const sql of [
        'select * from lumina.photos',
        "select public.lumina_known('x', '[]')",
        "select lumina.known('x', '[]')",
      ])
        await expect(tried('anon', sql)).rejects.toThrow(/permission denied/)
      const forged = `insert into lumina.photos (library, digest, key, name, bytes, kind, sidecar, "user")
        values ((select id from lumina.library limit 1), sha256('x'), 'x', 'x', 1, 'x', false, 'somebody else')`
      await expect(tried('authenticated', forged)).rejects.toThrow(/row-level security/)
    })
  })

  it('a holder that comes back frees what it left, and nothing of another', async () => {
    const library = randomUUID()
    const [me, other] = [await open(library, as('authenticated')), await open(library, as('authenticated'), 'other')]
    await me.claim([claimOf('a')])
    await other.claim([claimOf('b')])
    await (await open(library, as('authenticated'))).releaseOwn()
    expect(await other.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
    expect(await me.claim([claimOf('b')])).toMatchObject([{ answer: 'held', own: false }])
  })

  describe('a login', () => {
    it('that expires is renewed once', async () => {
      const expired = gateway.token({ role: 'authenticated', exp: 1 })
      const fresh = gateway.token({ role: 'authenticated' })
      let bearer = expired
      const renewed: string[] = []
      const credentials: Credentials = {
        current: async () => ({ apikey: 'key', bearer }),
        async renewed(refused) {
          renewed.push(refused)
          bearer = fresh
          return { apikey: 'key', bearer }
        },
      }
      const catalog = await open('renewal', credentials)
      expect(await catalog.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
      expect(renewed).toEqual([expired])
    })

    it('that stays expired is refused', async () => {
      const expired = gateway.token({ role: 'authenticated', exp: 1 })
      const credentials: Credentials = {
        current: async () => ({ apikey: 'key', bearer: expired }),
        renewed: async () => ({ apikey: 'key', bearer: expired }),
      }
      await expect(begun('renewal', credentials)).rejects.toMatchObject({ code: 'destination-refused' })
    })
  })

  describe('answers', () => {
    it('that get lost are asked for again, and a claim is granted to who made it', async () => {
      const catalog = await open(randomUUID(), as('authenticated'))
      let cuts = 2
      gateway.instead = () => (cuts-- > 0 ? 'cut' : undefined)
      expect(await catalog.claim([claimOf('a'), claimOf('a')])).toMatchObject([
        { answer: 'granted' },
        { answer: 'held', own: true },
      ])
      // a twin of the same name is another claim
      expect(await catalog.claim([claimOf('a')])).toMatchObject([{ answer: 'held', own: true }])
      cuts = 1
      await catalog.record([entryOf('a')])
      expect(await catalog.known([digestOf('a')])).toHaveProperty('size', 1)
    })

    it('that stay away end the run after a few tries, further and further apart', async () => {
      const waits: number[] = []
      const catalog = await open('away', as('authenticated'), 'me', waits)
      gateway.instead = () => ({ status: 503, body: { code: 'PGRST002', message: 'Could not query the database' } })
      await expect(catalog.known([digestOf('a')])).rejects.toMatchObject({
        code: 'destination-unreachable',
        retry: 'exhausted',
        message: expect.stringContaining('127.0.0.1') as string,
      })
      expect(waits).toHaveLength(6)
      expect(Math.max(...waits)).toBeLessThanOrEqual(5000)
    })

    it('of a project without the functions say how to install them', async () => {
      const bare = await rpcGateway(await postgres.database())
      try {
        const credentials = fixedCredentials(bare.token({ role: 'authenticated' }))
        const catalog = await supabaseCatalog({ url: bare.url, credentials, library: 'x', holder: 'me' })
        await expect(catalog.identity()).rejects.toMatchObject({
          code: 'destination-missing',
          hint: expect.stringContaining('lumina init supabase') as string,
        })
      } finally {
        await bare.close()
      }
    })
  })

  it('may be installed twice', async () => {
    await run(supabaseSql)
    const catalog = await open('twice', as('authenticated'))
    expect((await catalog.identity()).epoch).toBe(1)
  })

  describe('by the rules of every catalog', () => {
    beforeAll(() => run(movedClock))

    testCatalog(
      'supabase functions',
      (clock) => {
        const library = randomUUID()
        const tell = clockOf(postgres, connection, clock)
        return {
          nowMs: () => clock.nowMs,
          open: ({ holder }) => opening(open(library, as('service_role'), holder), tell),
        }
      },
      { leasesOnly: true },
    )
  })
})
