import type { Agent, ClientRequest, IncomingMessage } from 'node:http'

import { interruption } from '../interruption.ts'
import { buffers } from './buffers.ts'

/** node's own modules are asked for by name: an import would load what all of their exports stand for. */
const builtin = {
  http: () => process.getBuiltinModule('node:http'),
  https: () => process.getBuiltinModule('node:https'),
}

/** A body that is read piece by piece into a buffer that is used again: nothing of it is ever held. */
export interface Body {
  readonly bytes: number
  /** Fills `into` with what comes at `at`: never more than is left. What it throws ends the request, and is thrown. */
  read(into: Uint8Array, at: number): number | Promise<number>
  /** How much the connection has taken. */
  written?(bytes: number): void
}

export interface Request {
  method: string
  url: URL
  headers: Record<string, string>
  body?: Uint8Array | Body
  signal: AbortSignal
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/** A connection that broke. `bodySent`: the other side may have taken the whole request before. */
export class LostAnswer extends Error {
  readonly bodySent: boolean

  constructor(cause: unknown, bodySent: boolean) {
    super(`The connection broke: ${reasonOf(cause)}`, { cause })
    this.bodySent = bodySent
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  return code ?? message ?? 'unknown'
}

/** Answers are short texts; who says more is not listened to. */
const longestAnswerBytes = 4 * 1024 * 1024
/** Idle connections go after a while that is shorter than most servers': one that they close first is lost with a request on it. */
const idleMs = 4000

/** Connections to one service, kept for the next request. HTTPS_PROXY, HTTP_PROXY and NO_PROXY hold. */
export function connections(url: URL, most: number): Agent {
  const options = { keepAlive: true, maxSockets: most, timeout: idleMs, proxyEnv: proxies(process.env) }
  return url.protocol === 'https:' ? new (builtin.https().Agent)(options) : new (builtin.http().Agent)(options)
}

function proxies(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}

/**
 * One request and the whole of its answer. Content-Length is always sent. What a body throws is thrown, and the request with it is
 * torn, so that the other side keeps nothing of it. @throws LostAnswer, or `interrupted`
 */
export async function exchange(agent: Agent, request: Request): Promise<Answer> {
  const { answer, end } = await begin(agent, request)
  try {
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await whole(answer) }
  } catch (error) {
    throw request.signal.aborted ? interruption(request.signal) : new LostAnswer(error, true)
  } finally {
    end()
  }
}

/** One request and its answer as it comes, for a body that is not held. `close` has to be called. */
export async function open(
  agent: Agent,
  request: Request,
): Promise<{ status: number; headers: Answer['headers']; message: IncomingMessage; close: () => void }> {
  const { answer, end } = await begin(agent, request)
  const close = (): void => {
    answer.destroy()
    end()
  }
  return { status: answer.statusCode ?? 0, headers: answer.headers, message: answer, close }
}

/** The whole of an answer that is only a text. By events: an iterator costs a small answer more than all the rest of it. */
export function whole(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes > longestAnswerBytes) message.destroy(new Error('The answer is too long.'))
    })
    message.on('end', () => resolve(Buffer.concat(chunks)))
    message.on('error', reject)
    message.on('close', () => {
      if (!message.complete) reject(new Error('The answer ended early.'))
    })
  })
}

function begin(agent: Agent, request: Request): Promise<{ answer: IncomingMessage; end: () => void }> {
  const { method, url, headers, body, signal } = request
  if (signal.aborted) return Promise.reject(interruption(signal))
  const bytes = body === undefined ? 0 : 'read' in body ? body.bytes : body.length
  const lengths: Record<string, string> = method === 'GET' || method === 'HEAD' ? {} : { 'content-length': `${bytes}` }
  const { promise, resolve, reject } = Promise.withResolvers<{ answer: IncomingMessage; end: () => void }>()
  const make = url.protocol === 'https:' ? builtin.https().request : builtin.http().request
  const outgoing = make(url, { method, agent, headers: { ...headers, ...lengths } })
  let sent = bytes === 0
  const onAbort = (): void => {
    reject(interruption(signal))
    tear(outgoing)
  }
  let answered = false
  const end = (): void => {
    signal.removeEventListener('abort', onAbort)
    // refused before its end: nobody reads the rest, and no other request may follow it on this connection
    if (!sent) outgoing.destroy()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  outgoing.on('response', (answer) => {
    answered = true
    resolve({ answer, end })
  })
  outgoing.on('error', (error) => {
    end()
    reject(new LostAnswer(error, sent))
  })
  outgoing.on('close', () => {
    // an error takes its stack with it, which every request would pay for
    if (!answered) reject(new LostAnswer(new Error('closed'), sent))
  })
  void send(outgoing, body, () => answered).then(
    (whole) => (sent ||= whole),
    (error: unknown) => {
      // a connection that breaks is told by its own event, or by an answer that came before all was sent
      if (error instanceof BrokenWrite) return
      end()
      reject(error)
      tear(outgoing)
    },
  )
  return promise
}

/** How long what was written may take to leave, when its request is torn. */
const flushMs = 250

/** Ends a request before its end. What was written still arrives: a transfer in pieces goes on from there. */
function tear(outgoing: ClientRequest): void {
  const { socket } = outgoing
  if (!socket) return void outgoing.destroy()
  socket.destroySoon()
  // the other side may read no more of it
  setTimeout(() => socket.destroy(), flushMs).unref()
}

class BrokenWrite extends Error {}

/** Whether all of `body` was sent: an answer that comes before ends it, and the source is not read any more. */
async function send(outgoing: ClientRequest, body: Request['body'], answered: () => boolean): Promise<boolean> {
  if (body === undefined || !('read' in body)) {
    // queued whole: from here on it may arrive
    outgoing.end(body)
    return true
  }
  const buffer = buffers.take()
  try {
    for (let at = 0; at < body.bytes;) {
      const got = await body.read(buffer.subarray(0, Math.min(buffer.length, body.bytes - at)), at)
      if (answered()) return false
      at += got
      await written(outgoing, buffer.subarray(0, got))
      if (answered() && at < body.bytes) return false
      body.written?.(at)
    }
    outgoing.end()
    return true
  } finally {
    buffers.give(buffer)
  }
}

/** Resolves when the buffer may be filled again. */
function written(outgoing: ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const broken = (): void => reject(new BrokenWrite())
    if (outgoing.destroyed) return broken()
    outgoing.once('close', broken)
    outgoing.write(chunk, (error) => {
      outgoing.removeListener('close', broken)
      if (error) broken()
      else resolve()
    })
  })
}
