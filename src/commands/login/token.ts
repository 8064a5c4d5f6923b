import { LuminaError } from '../../errors.ts'

/** Far more than any session. */
const longestCharacters = 64 * 1024

/**
 * The refresh token in what was pasted: the JSON of a session, the address that a link in a mail led to, or the bare tokens in any order.
 * @throws `usage`
 */
export function refreshTokenIn(pasted: string): string {
  const text = pasted.trim()
  const token = text.length <= longestCharacters ? (inJson(text) ?? inAddress(text) ?? inWords(text)) : undefined
  if (token) return token
  throw new LuminaError('usage', 'What was given holds no refresh token.', {
    hint: 'Give the JSON of a session, or access token and refresh token, one a line.',
  })
}

function inJson(text: string): string | undefined {
  try {
    return refreshTokenOf(JSON.parse(text), 2)
  } catch {
    return undefined
  }
}

/** Some print the session inside of something else: `{"session": {...}}`, `{"data": {"session": {...}}}`. */
function refreshTokenOf(json: unknown, depth: number): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { refresh_token: token, session, data } = json as Record<string, unknown>
  if (typeof token === 'string') return token
  return depth === 0 ? undefined : (refreshTokenOf(session, depth - 1) ?? refreshTokenOf(data, depth - 1))
}

function inAddress(text: string): string | undefined {
  const parameter = /(?:^|[#?&])(refresh_token=[^&\s]+)/.exec(text)?.[1]
  const token = new URLSearchParams(parameter).get('refresh_token') ?? ''
  return plain.test(token) ? token : undefined
}

/** An access token is a JWT; a refresh token is not. */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/
const plain = /^[\w~+/=-]{6,}$/

function inWords(text: string): string | undefined {
  const others = text.split(/\s+/).filter((word) => !jwt.test(word))
  return others.length === 1 && others[0] !== undefined && plain.test(others[0]) ? others[0] : undefined
}
