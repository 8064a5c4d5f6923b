import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteCatalog } from '../../../src/client/catalogs/sqlite.ts'
import type { Catalog } from '../../../src/client/destination.ts'
import { type CatalogClock, type CatalogPlace, testCatalog } from '../../contract/catalog.ts'
import { openElsewhere } from '../../contract/elsewhere.ts'

testCatalog('sqlite, in a file', (clock: CatalogClock): CatalogPlace => {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-catalog-'))
  const nowMs = (): number => clock.nowMs
  return {
    nowMs,
    open: (user): Catalog => openElsewhere('sqlite', folder, { ...user, nowMs }),
    elsewhere: { kind: 'sqlite', folder },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
})

testCatalog(
  'sqlite, in memory',
  (clock) => ({
    nowMs: () => clock.nowMs,
    open: (user) => sqliteCatalog({ path: ':memory:', id: 'test', nowMs: () => clock.nowMs, ...user }),
  }),
  { alone: true },
)
