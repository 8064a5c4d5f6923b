import type { Catalog } from '../../src/client/destination.ts'
import { openElsewhere } from './elsewhere.ts'
import { createHash } from 'node:crypto'

/** Stores contents that others race for, and says which it stored, as `digest key` lines. */
const [kind = '', folder = '', holder = '', count = ''] = process.argv.slice(2)
const catalog: Catalog = openElsewhere(kind, folder, { holder })
const batch = 50

const digests = Array.from({ length: Number(count) }, (_, at) => createHash('sha256').update(`${at}`).digest('hex'))
// all want the same keys for different contents as well: ten contents for one name
const wished = (digest: string, counter: number): string =>
  `${digest.slice(0, 1)}${counter === 0 ? '' : `-${counter}`}.jpg`

for (let from = 0; from < digests.length; from += batch) {
  let open = digests.slice(from, from + batch).map((digest) => ({ digest, counter: 0 }))
  while (open.length > 0) {
    const answers = await catalog.claim(
      open.map(({ digest, counter }) => ({ digest, key: wished(digest, counter), sidecar: false })),
    )
    const granted = open.filter((_, at) => answers[at]?.answer === 'granted')
    await catalog.record(
      granted.map(({ digest, counter }) => {
        const key = wished(digest, counter)
        return { key, digest, bytes: 1, kind: 'image/jpeg', sidecar: false, name: key }
      }),
    )
    for (const { digest, counter } of granted) process.stdout.write(`${digest} ${wished(digest, counter)}\n`)
    open = open.flatMap(({ digest, counter }, at) => {
      const answer = answers[at]?.answer
      if (answer === 'key-taken') return [{ digest, counter: counter + 1 }]
      return answer === 'held' ? [{ digest, counter }] : []
    })
  }
}
await catalog.close()
