import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Dispatcher, request } from 'undici'

import type { FakeStorage } from './storage.ts'

export interface Said {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  json: Record<string, unknown>
}

export interface Asked {
  body?: string | Buffer | null
  headers?: Record<string, string>
  /** The service key by default; null for none at all. */
  token?: string | null
}

export async function ask(
  storage: FakeStorage,
  method: Dispatcher.HttpMethod,
  path: string,
  { body = null, headers, token = storage.serviceKey }: Asked = {},
): Promise<Said> {
  const said = await request(storage.url + path, {
    method,
    body,
    headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
  })
  const content = await said.body.text()
  return { status: said.statusCode, headers: said.headers, text: content, json: parsed(content) }
}

/** Sends `chunks` without a length, each when the one before is out. */
export async function askChunked(
  storage: FakeStorage,
  method: string,
  path: string,
  chunks: AsyncIterable<string> | Iterable<string>,
  headers: Record<string, string> = {},
): Promise<Said> {
  const req = httpRequest(storage.url + path, {
    method,
    headers: { authorization: `Bearer ${storage.serviceKey}`, ...headers },
  })
  req.flushHeaders()
  const answered = once(req, 'response')
  for await (const chunk of chunks) req.write(chunk)
  req.end()
  const [res] = (await answered) as [IncomingMessage]
  const content = await text(res)
  return { status: res.statusCode ?? 0, headers: res.headers, text: content, json: parsed(content) }
}

function parsed(content: string): Record<string, unknown> {
  try {
    return JSON.parse(content) as Record<string, unknown>
  } catch {
    return {}
  }
}

export const base64 = (content: string): string => Buffer.from(content).toString('base64')
/** As an etag. */
export const md5 = (content: string | Buffer): string => `"${createHash('md5').update(content).digest('hex')}"`
export const objectPath = (key: string): string => `/storage/v1/object/photos/${key}`
/** POST of a JPEG into `photos`. */
export const post = (
  storage: FakeStorage,
  key: string,
  body: string | Buffer,
  { headers, ...asked }: Omit<Asked, 'body'> = {},
): Promise<Said> =>
  ask(storage, 'POST', objectPath(key), { ...asked, body, headers: { 'content-type': 'image/jpeg', ...headers } })
