import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export interface Claims {
  role: string
  sub?: string
  /** Seconds since 1970, as JWTs count. */
  exp?: number
  [claim: string]: unknown
}

/** HS256 tokens of one server: another server's are signed by another secret. */
export class Tokens {
  /** A token that carries a lower one has expired, whatever its `exp` says. */
  epoch = 0
  readonly #secret = randomBytes(32)

  sign(claims: Claims): string {
    const head = encode({ alg: 'HS256', typ: 'JWT' })
    const signed = `${head}.${encode({ iat: nowSeconds(), ...claims })}`
    return `${signed}.${this.#signature(signed)}`
  }

  /** Throws an Error with the words of the service: they alone tell a bad signature from an expired token. */
  verify(token: string): Claims {
    const parts = token.split('.')
    if (parts.length !== 3) throw new Error('Invalid Compact JWS')
    const [head, payload, signature] = parts as [string, string, string]
    const due = Buffer.from(this.#signature(`${head}.${payload}`))
    const given = Buffer.from(signature)
    if (due.length !== given.length || !timingSafeEqual(due, given)) throw new Error('signature verification failed')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
    const isOld = typeof claims['epoch'] === 'number' && claims['epoch'] < this.epoch
    if (isOld || (claims.exp !== undefined && claims.exp <= Date.now() / 1000))
      throw new Error('"exp" claim timestamp check failed')
    return claims
  }

  #signature(signed: string): string {
    return createHmac('sha256', this.#secret).update(signed).digest('base64url')
  }
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
