import type { Agent, IncomingMessage } from 'node:http'

import { LuminaError } from '../../../errors.ts'
import type { Credentials, Login } from '../../http/credentials.ts'
import { type Answer, connections, exchange, LostAnswer, open, type Request, whole } from '../../http/exchange.ts'
import { failure, isExpired, refusalOf, retryAfterMs, unreachable } from './failure.ts'

export interface Call extends Omit<Request, 'url' | 'headers'> {
  /** Below `/storage/v1`. */
  path: string
  headers?: Record<string, string>
}

export interface ServiceOptions {
  /** The project's origin. */
  url: string
  /** For messages. */
  place: string
  credentials: Credentials
  connections: number
}

/** Calls to one project's storage, with what lets them in. Answers are the caller's to judge. */
export class Service {
  readonly place: string
  readonly origin: URL
  readonly #credentials: Credentials
  readonly #agent: Agent

  constructor({ url, place, credentials, connections: most }: ServiceOptions) {
    this.place = place
    this.origin = new URL(url)
    this.#credentials = credentials
    this.#agent = connections(this.origin, most)
  }

  /** @throws LostAnswer, `interrupted`, and what the body throws */
  async ask(call: Call): Promise<Answer> {
    const bearer = await this.#credentials.current(call.signal)
    const answer = await exchange(this.#agent, this.#request(call, bearer))
    if (!this.#wantsRenewal(answer)) return answer
    return exchange(this.#agent, this.#request(call, await this.#renewed(bearer, call.signal)))
  }

  /** An answer whose body is not held. */
  async open(call: Call): Promise<{ status: number; message: IncomingMessage; close: () => void }> {
    let login = await this.#credentials.current(call.signal)
    for (let renewed = false; ; renewed = true) {
      const answer = await open(this.#agent, this.#request(call, login))
      if (answer.status < 400) return answer
      const body = await whole(answer.message).finally(answer.close)
      const refusal = { status: answer.status, headers: answer.headers, body }
      if (renewed || !this.#wantsRenewal(refusal)) throw this.refused(refusal, 'a look at it')
      login = await this.#renewed(login, call.signal)
    }
  }

  /** What a refused call to `what` means. */
  refused(answer: Answer, what: string): LuminaError {
    const error = failure(refusalOf(answer), this.place, what)
    const afterMs = retryAfterMs(answer, Date.now())
    if (afterMs === undefined || error.retry !== 'transient') return error
    const { code, message, retry, hint, cause } = error
    return new LuminaError(code, message, {
      retry,
      retryAfterMs: afterMs,
      cause,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  /** What any error of a call means, a broken connection too. */
  failed(error: unknown): unknown {
    return error instanceof LostAnswer ? unreachable(this.place, error) : error
  }

  close(): void {
    this.#agent.destroy()
  }

  /** A body can be read again from its beginning: nothing of the first try was taken. */
  #wantsRenewal(answer: Answer): boolean {
    return answer.status >= 400 && isExpired(refusalOf(answer))
  }

  async #renewed({ bearer }: Login, signal: AbortSignal): Promise<Login> {
    return this.#credentials.renewed(bearer, signal)
  }

  #request({ path, headers, ...call }: Call, { apikey, bearer }: Login): Request {
    const url = new URL(`/storage/v1${path}`, this.origin)
    return { ...call, url, headers: { ...headers, apikey, authorization: `Bearer ${bearer}` } }
  }
}
