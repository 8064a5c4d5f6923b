import { readFileSync } from 'node:fs'

import { LuminaError } from '../errors.ts'

const login = /\b[a-z][a-z0-9+.-]*:\/\/[^/?#\s@]*@/i
// A slash inside a password does not end it (AWS secrets hold them); a port does.
const password = /\b[a-z][a-z0-9+.-]*:\/\/[^/?#\s@]*:(?!\d*(?:[/?#]|$))[^\s@]*@/i
const signedQuery = /[?&](?:[\w-]*(?:token|secret|password|apikey|api_key|signature|credential)|key|sig)=[^&\s]/i

/** Whether `text` is a URL that lets in whoever reads it: with a login before the host, or a token among its parameters. */
export function holdsSecret(text: string): boolean {
  return login.test(text) || password.test(text) || (text.includes('://') && signedQuery.test(text))
}

/** What an argument list shows to every user of the machine (`ps`) and to the shell's history must hold no secret. */
export function refuseSecrets(argv: readonly string[]): void {
  if (!argv.some(holdsSecret)) return
  throw new LuminaError(
    'usage',
    'a URL on the command line holds a login or a token, which other users of this machine can read',
    {
      hint: `leave it out of the URL, and put it into the environment (${examples}) or into a file named by the same variable with _FILE`,
    },
  )
}

const examples = 'SUPABASE_KEY, AWS_SECRET_ACCESS_KEY'

/**
 * The secret that `env` has under `name`, or in the file that `<name>_FILE` names, as container secrets come. Secrets live nowhere else:
 * neither in arguments nor in settings.
 */
export function secretFrom(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`]
  if (!file) return env[name] || undefined
  if (env[name]) throw new LuminaError('config', `both ${name} and ${name}_FILE are set`, { hint: 'unset one of them' })
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new LuminaError('config', `${name}_FILE cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

const secretName = /(^|_)(key|token)(_|$)|secret|passw|credential/i
/** Shorter values stand in ordinary words. */
const minSecretLength = 6

/** `text` without logins inside URLs and without the values of secret-looking environment variables. */
export function redact(text: string, env: NodeJS.ProcessEnv): string {
  let clean = text
  for (const [name, value] of Object.entries(env)) {
    const isSecret =
      secretName.test(name) && !name.endsWith('_FILE') && value !== undefined && value.length >= minSecretLength
    if (isSecret) clean = clean.replaceAll(value, '***')
  }
  return clean
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]*@/gi, '$1***@')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]*:(?!\d*(?:[/?#]|$))[^\s@]*@/gi, '$1***@')
    .replace(/([?&][\w-]*(?:token|secret|password|key|signature|credential|sig)=)[^&\s]+/gi, '$1***')
}
