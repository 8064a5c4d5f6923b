import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

import { refusals } from './errors.ts'
import type { Claims } from './tokens.ts'

/** One request, as far as it is understood. */
export interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: string
  /** Without the query, as it was sent. */
  readonly path: string
  readonly query: URLSearchParams
  claims: Claims
  /** The names in the path, decoded. */
  bucket: string
  key: string
}

/** What is sent back; a handler that has answered by itself returns nothing. */
export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

export type Handler = (call: Call) => Promise<Answer | void>

export const ok = (body: unknown): Answer => ({ status: 200, body })

/** The JSON of a small request; an empty body is an empty object. */
export async function jsonBody(call: Call): Promise<Record<string, unknown>> {
  const body = await text(call.req)
  if (body === '') return {}
  try {
    return JSON.parse(body) as Record<string, unknown>
  } catch {
    throw refusals.invalidRequest('Body is not valid JSON')
  }
}

export function send(res: ServerResponse, { status, body, headers = {} }: Answer): void {
  const content = body === undefined ? '' : JSON.stringify(body)
  res.writeHead(status, {
    ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
    ...(status !== 204 && { 'content-length': String(Buffer.byteLength(content)) }),
    ...headers,
  })
  res.end(content)
}

export function header(call: Call, name: string): string | undefined {
  const value = call.req.headers[name]
  return Array.isArray(value) ? value[0] : value
}
