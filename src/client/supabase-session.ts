import { LuminaError } from '../errors.ts'
import { type Credentials, fixedCredentials } from './http/credentials.ts'
import { sessionCredentials } from './supabase-session/credentials.ts'
import { readSession, sessionFile, sessionLock } from './supabase-session/file.ts'

export interface SupabaseAccess {
  /** The project's origin. */
  url: string
  /** Where sessions of this user are kept. */
  configDir: string
  /** A key given by the environment. */
  key?: string
}

/** What lets this user into a project: a key that was given, else a login. @throws `config` where there is neither */
export function supabaseCredentials({ url, key, configDir }: SupabaseAccess): Credentials {
  if (key !== undefined) return fixedCredentials(key)
  const file = sessionFile(configDir, url)
  // tokens are sent where they came from, and as they came: never over http what came over https
  if (readSession(file)?.url === url) return sessionCredentials({ file, lockPath: sessionLock(file), nowMs: Date.now })
  throw new LuminaError('config', `Nothing lets us into the Supabase project ${url}.`, {
    hint: 'Set SUPABASE_KEY, or SUPABASE_KEY_FILE to a file that holds it, or log in: lumina login supabase',
  })
}
