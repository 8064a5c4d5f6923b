import { readFileSync } from 'node:fs'

import { LuminaError } from '../errors.ts'

// The name alone is no secret in the URL of a database, which has its password from elsewhere.
const login = /\b(?!postgres(?:ql)?:\/\/[^/?#\s@:]*@)[a-z][a-z0-9+.-]*:\/\/[^/?#\s@]*@/i
// A slash inside a password does not end it (AWS secrets hold them); a port does.
const password = /\b[a-z][a-z0-9+.-]*:\/\/[^/?#\s@]*:(?!\d*(?:[/?#]|$))[^\s@]*@/i
const signedQuery = /[?&](?:[\w-]*(?:token|secret|password|apikey|api_key|signature|credential)|key|sig)=[^&\s]/i

// The other way to write where a database is: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
const keywords = /^(?=.*\b(?:host|hostaddr|dbname|user)\s*=).*\bpassword\s*=/is

/** Whether `text` is a URL that lets in whoever reads it: with a login before the host, or a token among its parameters. */
export function holdsSecret(text: string): boolean {
  return (
    login.test(text) || password.test(text) || keywords.test(text) || (text.includes('://') && signedQuery.test(text))
  )
}

/** What an argument list shows to every user of the machine (`ps`) and to the shell's history must hold no secret. */
export function refuseSecrets(argv: readonly string[]): void {
  const secret = argv.find(holdsSecret)
  if (secret === undefined) return
  const names = /postgres/i.test(secret) || keywords.test(secret) ? 'LUMINA_CATALOG' : examples
  throw new LuminaError(
    'usage',
    'a URL on the command line holds a login or a token, which other users of this machine can read',
    {
      hint: `leave it out of the URL, and put it into the environment (${names}) or into a file named by the same variable with _FILE`,
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
    const secret = readFileSync(file, 'utf8').trim()
    hideFromNowOn(secret)
    return secret || undefined
  } catch (error) {
    throw new LuminaError('config', `${name}_FILE cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** Secrets that were read from files or parsed out of URLs, so that no name in the environment leads to them. */
const learnt = new Set<string>()

/** Has `redact` hide `secret` from now on. */
export function hideFromNowOn(secret: string): void {
  if (secret.length >= minSecretLength) learnt.add(secret)
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
  for (const secret of learnt) clean = clean.replaceAll(secret, '***')
  return clean
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]*@/gi, '$1***@')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]*:(?!\d*(?:[/?#]|$))[^\s@]*@/gi, '$1***@')
    .replace(/([?&][\w-]*(?:token|secret|password|key|signature|credential|sig)=)[^&\s]+/gi, '$1***')
}
