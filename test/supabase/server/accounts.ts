import { randomBytes, randomUUID } from 'node:crypto'

import { type Answer, type Call, jsonBody, ok } from './call.ts'
import type { Counters } from './counters.ts'
import { nowSeconds, type Tokens } from './tokens.ts'

interface User {
  id: string
  email: string
  password: string
}

/** Log-in and sessions. A refresh token can be used once; the answer holds the next. */
export class Accounts {
  /** How long the access tokens hold that are given from now on. */
  sessionSeconds = 3600
  readonly #users = new Map<string, User>()
  /** The user of each refresh token that was ever given; undefined once it is used. */
  readonly #refreshTokens = new Map<string, User | undefined>()
  readonly #tokens: Tokens
  readonly #counters: Counters

  constructor(tokens: Tokens, counters: Counters) {
    this.#tokens = tokens
    this.#counters = counters
  }

  /** Returns the id of the new user. */
  add(email: string, password: string): string {
    const user = { id: randomUUID(), email, password }
    this.#users.set(email, user)
    return user.id
  }

  /** Every access token that was given until now expires now; what refreshes it does not. */
  expireSessions(): void {
    this.#tokens.epoch++
  }

  /** POST /auth/v1/token */
  async token(call: Call): Promise<Answer> {
    const asked = await jsonBody(call)
    switch (call.query.get('grant_type')) {
      case 'password': {
        const user = this.#users.get(String(asked['email']))
        return user?.password === asked['password'] && user
          ? ok(this.#session(user))
          : refused('invalid_credentials', 'Invalid login credentials')
      }
      case 'refresh_token':
        return this.#refresh(String(asked['refresh_token']))
      default:
        return refused('validation_failed', 'unsupported_grant_type')
    }
  }

  /** GET /auth/v1/user */
  async user(call: Call): Promise<Answer> {
    const user = [...this.#users.values()].find(({ id }) => id === call.claims.sub)
    return user ? ok(described(user)) : refused('bad_jwt', 'invalid claim: missing sub claim', 403)
  }

  #refresh(token: string): Answer {
    this.#counters.refreshes++
    if (!this.#refreshTokens.has(token))
      return refused('refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found')
    const user = this.#refreshTokens.get(token)
    if (!user) return refused('refresh_token_already_used', 'Invalid Refresh Token: Already Used')
    this.#refreshTokens.set(token, undefined)
    return ok(this.#session(user))
  }

  #session(user: User): object {
    const refreshToken = randomBytes(9).toString('base64url')
    this.#refreshTokens.set(refreshToken, user)
    const expiresAt = nowSeconds() + this.sessionSeconds
    return {
      access_token: this.#tokens.sign({
        sub: user.id,
        role: 'authenticated',
        aud: 'authenticated',
        email: user.email,
        session_id: randomUUID(),
        epoch: this.#tokens.epoch,
        exp: expiresAt,
      }),
      token_type: 'bearer',
      expires_in: this.sessionSeconds,
      expires_at: expiresAt,
      refresh_token: refreshToken,
      user: described(user),
    }
  }
}

const described = ({ id, email }: User): object => ({
  id,
  aud: 'authenticated',
  role: 'authenticated',
  email,
  app_metadata: { provider: 'email', providers: ['email'] },
  user_metadata: {},
})

const refused = (code: string, msg: string, status = 400): Answer => ({
  status,
  body: { code: status, error_code: code, msg },
})
