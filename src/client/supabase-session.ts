import { LuminaError } from '../errors.ts'
import { type Credentials, fixedCredentials } from './http/credentials.ts'

export interface SupabaseAccess {
  /** The project's origin. */
  url: string
  /** Where sessions of this user are kept. */
  configDir: string
  stateDir: string
  /** A key given by the environment. */
  key?: string
}

/** What lets this user into a project. @throws `config` where nothing does. */
export function supabaseCredentials({ url, key }: SupabaseAccess): Credentials {
  if (key !== undefined) return fixedCredentials(key)
  throw new LuminaError('config', `Nothing lets us into the Supabase project ${url}.`, {
    hint: 'Set SUPABASE_KEY, or SUPABASE_KEY_FILE to a file that holds it.',
  })
}
