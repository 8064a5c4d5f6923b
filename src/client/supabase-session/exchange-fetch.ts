import { connections, exchange } from '../http/exchange.ts'

/** A `fetch` over Lumina's own connections: proxies and certificates hold for it as they do for transfers. */
export function exchangeFetch(signal: AbortSignal): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const agent = connections(url, 1)
    try {
      const answer = await exchange(agent, {
        method: init.method ?? 'GET',
        url,
        headers: Object.fromEntries(new Headers(init.headers)),
        signal,
        ...(typeof init.body === 'string' && { body: Buffer.from(init.body) }),
      })
      const isEmpty = answer.body.length === 0
      return new Response(isEmpty ? null : new Uint8Array(answer.body), { status: answer.status })
    } finally {
      agent.destroy()
    }
  }
}
