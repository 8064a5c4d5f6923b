import { catalogMigration, installCatalog } from '../client/open/install.ts'
import type { Config } from '../config.ts'
import { secretFrom } from '../config/secrets.ts'
import { exitCodes, LuminaError } from '../errors.ts'
import type { Io } from '../report/io.ts'

/** What `lumina init` is asked for. */
export interface InitRequest {
  service: string
  apply: boolean
}

/** `lumina init supabase`: the migration that a project needs to be a shared catalog, on stdout; or applied to its database. */
export async function init(config: Config, { service, apply }: InitRequest, io: Io): Promise<number> {
  if (service !== 'supabase') {
    throw new LuminaError('usage', `there is nothing to prepare for ${JSON.stringify(service)}`, {
      hint: 'for example: lumina init supabase > supabase/migrations/20260101000000_lumina.sql',
    })
  }
  if (!apply) {
    io.stdout.write(catalogMigration)
    return exitCodes.done
  }
  await installCatalog(databaseOf(config, io))
  io.stderr.write('The catalog is installed. Runs that log in to this project share it from now on.\n')
  return exitCodes.done
}

function databaseOf({ services }: Config, io: Io): string {
  const connection = services.catalog ?? secretFrom(io.env, 'DATABASE_URL')
  if (connection !== undefined) return connection
  throw new LuminaError('config', 'no database is given to install the catalog in', {
    hint: "set LUMINA_CATALOG, or LUMINA_CATALOG_FILE to a file that holds it: the project's page has it under Connect",
  })
}
