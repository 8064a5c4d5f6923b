import { join } from 'node:path'
import { logCatalog } from '../../src/client/catalogs/log.ts'
import { sqliteCatalog } from '../../src/client/catalogs/sqlite.ts'
import type { Catalog } from '../../src/client/destination.ts'
import type { CatalogUser } from './catalog.ts'

/** Opens, in any process, a catalog that a test has made in `folder`. */
export function openElsewhere(kind: string, folder: string, user: CatalogUser & { nowMs?: () => number }): Catalog {
  const path = join(folder, 'catalog.ndjson')
  switch (kind) {
    case 'sqlite':
      return sqliteCatalog({ path: join(folder, 'catalog.db'), id: 'test', ...user })
    case 'log, one machine':
      return logCatalog({ path, indexPath: join(folder, 'index.db'), id: 'test', ...user })
    case 'log, many machines':
      return logCatalog({ path, indexPath: join(folder, `index-${user.holder}.db`), id: 'test', ...user })
    default:
      throw new Error(`There is no catalog of the kind ${kind}.`)
  }
}
