import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { postgresCatalog } from '../../src/client/catalogs/postgres.ts'
import type { Catalog } from '../../src/client/destination.ts'

/*
 * One of many processes that store the same contents, through several holders each; says which it was granted, as `digest key` lines.
 * Its arguments: where to connect, the library, the name of this process, how many holders, how many contents.
 */
const [connection = '', library = '', name = '', holders = '', count = ''] = process.argv.slice(2)
const batch = 100

const contents = Array.from({ length: Number(count) }, (_, at) => createHash('sha256').update(`${at}`).digest('hex'))

// ten contents want each name, and every holder calls the contents otherwise: who wins a content and who wins a key is never the same
const wished = (digest: string, holder: number, counter: number): string =>
  `${holder % 3}/${digest.slice(0, 2)}${counter === 0 ? '' : `-${counter}`}.jpg`

async function store(catalog: Catalog, holder: number): Promise<void> {
  const from = (holder * 7919) % contents.length
  const own = [...contents.slice(from), ...contents.slice(0, from)]
  for (let at = 0; at < own.length; at += batch) {
    let open = own.slice(at, at + batch).map((digest) => ({ digest, counter: 0 }))
    while (open.length > 0) {
      const keyed = open.map((each) => ({ ...each, key: wished(each.digest, holder, each.counter) }))
      const answers = await catalog.claim(keyed.map(({ digest, key }) => ({ digest, key, sidecar: false })))
      const granted = keyed.filter((_, index) => answers[index]?.answer === 'granted')
      for (const { digest, key } of granted) process.stdout.write(`${digest} ${key}\n`)
      // as a transfer does: others meet the claim before the record
      await wait(5)
      await catalog.record(
        granted.map(({ digest, key }) => ({ key, digest, bytes: 1, kind: 'image/jpeg', sidecar: false, name: key })),
      )
      open = open.flatMap(({ digest, counter }, index) => {
        const answer = answers[index]?.answer
        if (answer === 'key-taken') return [{ digest, counter: counter + 1 }]
        return answer === 'held' ? [{ digest, counter }] : []
      })
    }
  }
}

await Promise.all(
  Array.from({ length: Number(holders) }, async (_, at) => {
    const holder = `${name}-${at}`
    const catalog = await postgresCatalog({
      connection,
      library,
      holder,
      pool: { min: 0, max: 1 },
      statementTimeoutMs: 30_000,
    })
    await store(catalog, at + Number(name) * Number(holders))
    await catalog.close()
  }),
)
