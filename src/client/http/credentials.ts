import { LuminaError } from '../../errors.ts'

/** What a request carries to be let in. Never part of a message. */
export interface Login {
  readonly apikey: string
  readonly bearer: string
}

/** Where requests get their login from; shared by all transfers of a destination. */
export interface Credentials {
  current(signal: AbortSignal): Promise<Login>
  /** `refusedBearer` was refused as expired: a fresh login. @throws `destination-refused` when there is none */
  renewed(refusedBearer: string, signal: AbortSignal): Promise<Login>
}

/** A key that is what it is until somebody replaces it. */
export function fixedCredentials(key: string): Credentials {
  const login = { apikey: key, bearer: key }
  return {
    current: async () => login,
    async renewed() {
      throw new LuminaError('destination-refused', 'The key has expired.', {
        hint: 'Set SUPABASE_KEY to a key that is valid, or log in with `lumina login supabase`.',
      })
    },
  }
}
