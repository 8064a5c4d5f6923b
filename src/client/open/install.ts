import { LuminaError } from '../../errors.ts'
import { migrate } from '../catalogs/postgres.ts'
import { supabaseSql } from '../catalogs/sql/supabase.ts'

/** What a Supabase project needs for a catalog that machines share. May be applied again, at any time. */
export { supabaseSql as catalogMigration } from '../catalogs/sql/supabase.ts'

/**
 * Applies `catalogMigration`, whole or not at all.
 * @throws LuminaError `destination-unreachable`, `destination-refused`, `destination-missing`; `usage` where the database is no project's
 */
export async function installCatalog(connection: string): Promise<void> {
  try {
    await migrate(connection, supabaseSql)
  } catch (error) {
    if (!lacksRoles(error)) throw error
    throw new LuminaError('usage', 'This database is not that of a Supabase project: it has no such roles.', {
      cause: error,
      hint: 'Any other Postgres needs no installation: Lumina makes the catalog when LUMINA_CATALOG is first used.',
    })
  }
}

function lacksRoles(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return cause?.code === '42704'
}
