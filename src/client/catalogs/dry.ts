import type { Catalog } from '../destination.ts'

/** What `base` knows, and what this run would add to it, which goes to `overlay` alone: for `--dry-run`. */
export function dryCatalog(base: Catalog | undefined, overlay: Catalog): Catalog {
  return {
    ...overlay,
    identity: () => (base ?? overlay).identity(),
    async known(digests) {
      const known = await overlay.known(digests)
      if (base) for (const [digest, key] of await base.known(digests)) known.set(digest, key)
      return known
    },
    async claim(wants) {
      const stored = base
        ? await base.known(wants.flatMap(({ digest, sidecar }) => (sidecar ? [] : [digest])))
        : undefined
      const answers = await overlay.claim(wants)
      return answers.map((answer, at) => {
        const key = stored?.get(wants[at]?.digest ?? '')
        return key === undefined ? answer : { answer: 'known', key }
      })
    },
    async close() {
      await overlay.close()
      await base?.close()
    },
  }
}
