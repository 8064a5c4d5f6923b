import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { logCatalog } from '../../src/client/catalogs/log.ts'
import { segmentsCatalog } from '../../src/client/catalogs/segments.ts'
import { sqliteCatalog } from '../../src/client/catalogs/sqlite.ts'
import type { Catalog, Destination } from '../../src/client/destination.ts'
import { localDestination } from '../../src/client/drivers/local.ts'
import { diskVolume } from '../client/drivers/local-subject.ts'
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
    case 'segments':
    case 'segments, many machines':
      return segmentsCatalog({
        destination: bucketIn(folder, user.holder),
        folder: 'catalog',
        indexPath: join(folder, kind === 'segments' ? 'index.db' : `index-${user.holder}.db`),
        id: 'test',
        ...user,
      })
    default:
      throw new Error(`There is no catalog of the kind ${kind}.`)
  }
}

/** A bucket that processes share. */
function bucketIn(folder: string, holder: string): Destination {
  const root = join(folder, 'bucket')
  mkdirSync(join(root, '.lumina', 'tmp', holder), { recursive: true })
  return localDestination({ root, volume: diskVolume, holder })
}
