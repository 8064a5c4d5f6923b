import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FunctionsCatalog } from '../../../src/client/catalogs/functions.ts'
import { postgresCatalog } from '../../../src/client/catalogs/postgres.ts'
import { claimOf, digestOf, entryOf } from '../../contract/catalog-entries.ts'
import { postgresForTests } from '../../postgres/server.ts'

const postgres = await postgresForTests()

describe.skipIf(!postgres)('many that race for one catalog in Postgres', () => {
  let connection: string
  beforeAll(async () => {
    connection = (await postgres?.database()) ?? ''
  })
  afterAll(() => postgres?.stop())

  const open = (library: string, holder: string): Promise<FunctionsCatalog> =>
    postgresCatalog({ connection, library, holder, pool: { min: 0, max: 1 }, statementTimeoutMs: 30_000 })

  it('set it up all at once', async () => {
    const database = (await postgres?.database()) ?? ''
    const options = { connection: database, library: 'new', pool: { min: 0, max: 1 }, statementTimeoutMs: 30_000 }
    const opened = await Promise.all(
      Array.from({ length: 20 }, (_, at) => postgresCatalog({ ...options, holder: `${at}` })),
    )
    const identities = await Promise.all(opened.map((catalog) => catalog.identity()))
    expect(new Set(identities.map(({ id }) => id)).size).toBe(1)
    for (const catalog of opened) await catalog.close()
  })

  it('are granted each of 1,000 contents once, and each key once, from four processes with eight holders each', async () => {
    const racer = fileURLToPath(new URL('../../postgres/racer.ts', import.meta.url))
    const racers = await Promise.all(
      [0, 1, 2, 3].map((name) =>
        promisify(execFile)(process.execPath, [racer, connection, 'race', `${name}`, '8', '1000']),
      ),
    )
    const granted = racers.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean))
    expect(granted).toHaveLength(1000)
    expect(new Set(granted.map((line) => line.split(' ')[0])).size).toBe(1000)
    expect(new Set(granted.map((line) => line.split(' ')[1])).size).toBe(1000)
    const late = await open('race', 'late')
    const recorded: string[] = []
    for await (const { digest, key } of late.entries()) recorded.push(`${digest} ${key}`)
    expect(recorded.toSorted()).toEqual(granted.toSorted())
    await late.close()
  })

  it('never wait for one another in a circle, in whatever order they want contents and keys', async () => {
    const holders = await Promise.all(['one', 'two', 'three', 'four'].map((holder) => open('circle', holder)))
    const texts = Array.from({ length: 300 }, (_, at) => `${at}`)
    const orders = [texts, texts.toReversed(), texts.toSorted(), texts.toSorted().toReversed()]
    const answers = await Promise.all(
      holders.map((catalog, who) =>
        catalog.claim(
          // the contents in one order and the keys in the opposite
          (orders[who] ?? []).map((text, at) => claimOf(text, { key: `${orders[3 - who]?.[at]}.jpg` })),
        ),
      ),
    )
    const granted = answers.flat().filter(({ answer }) => answer === 'granted')
    expect(granted.length).toBeGreaterThan(0)
    expect(granted.length).toBeLessThanOrEqual(texts.length)
    for (const catalog of holders) await catalog.close()
  })

  it('are granted each content once by one connection that asks several times at once', async () => {
    const catalog = await open('lanes', 'me')
    const texts = Array.from({ length: 200 }, (_, at) => `${at}`)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => catalog.claim(texts.map((text) => claimOf(text)))),
    )
    const granted = answers.flat().filter(({ answer }) => answer === 'granted')
    expect(granted).toHaveLength(texts.length)
    await catalog.close()
  })

  it('share nothing between two libraries', async () => {
    const [here, there] = [await open('here', 'me'), await open('there', 'me')]
    await here.record([entryOf('a')])
    expect(await there.known([digestOf('a')])).toEqual(new Map())
    expect(await there.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
    await there.record([entryOf('a')])
    const before = await there.identity()
    await here.forget(['a.jpg'])
    expect(await there.known([digestOf('a')])).toEqual(new Map([[digestOf('a'), 'a.jpg']]))
    expect(await there.identity()).toEqual(before)
    expect((await here.identity()).id).not.toBe(before.id)
    for (const catalog of [here, there]) await catalog.close()
  })

  it('see at once what one has forgotten, in a new epoch', async () => {
    const holders = await Promise.all(['one', 'two', 'three'].map((holder) => open('epochs', holder)))
    const [one, ...others] = holders
    await one?.record([entryOf('a'), entryOf('b')])
    const before = await one?.identity()
    // two at the same time are two epochs
    await Promise.all([one?.forget(['a.jpg']), others[0]?.forget(['a.jpg', 'b.jpg'])])
    for (const catalog of holders) {
      expect((await catalog.identity()).epoch).toBe((before?.epoch ?? 0) + 2)
      expect(await catalog.known([digestOf('a'), digestOf('b')])).toEqual(new Map())
    }
    for (const catalog of holders) await catalog.close()
  })

  it('free what an earlier run of the same holder left behind, and nothing else', async () => {
    const dead = await open('left', 'me')
    await dead.claim([claimOf('a')])
    await dead.close()
    const [again, other] = [await open('left', 'me'), await open('left', 'other')]
    await other.claim([claimOf('b')])
    expect(await other.claim([claimOf('a')])).toMatchObject([{ answer: 'held', own: false }])
    await again.releaseOwn()
    expect(await other.claim([claimOf('a')])).toEqual([{ answer: 'granted' }])
    expect(await again.claim([claimOf('b')])).toMatchObject([{ answer: 'held', own: false }])
    for (const catalog of [again, other]) await catalog.close()
  })
})
