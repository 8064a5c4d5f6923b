import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { bufferBytes } from '../../../src/client/http/buffers.ts'
import { type Body, connections, exchange, LostAnswer, type Request } from '../../../src/client/http/exchange.ts'
import { LuminaError } from '../../../src/errors.ts'
import { content } from '../../contract/sources.ts'

let server: Server
let url: URL
let agent: Agent
/** What the server does with each request; by default it takes the body and says how long that was. */
let act: (req: IncomingMessage, res: ServerResponse) => void | Promise<void>
let heard: { method: string; headers: IncomingMessage['headers']; body: Buffer }[]
let sockets: number
const environment = { ...process.env }

async function take(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  heard.push({ method: req.method ?? '', headers: req.headers, body: Buffer.concat(chunks) })
  res.end('taken')
}

beforeEach(async () => {
  heard = []
  sockets = 0
  act = take
  server = createServer((req, res) => void Promise.resolve(act(req, res)).catch(() => {}))
  server.on('connection', () => sockets++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`)
  agent = connections(url, 4)
})
afterEach(async () => {
  process.env = { ...environment }
  agent.destroy()
  server.closeAllConnections()
  server.close()
})

const bodyOf = (all: Uint8Array, { read }: Partial<Body> = {}): Body => ({
  bytes: all.length,
  read:
    read ??
    ((into, at) => {
      into.set(all.subarray(at, at + into.length))
      return Math.min(into.length, all.length - at)
    }),
})
const ask = (more: Partial<Request> = {}): ReturnType<typeof exchange> =>
  exchange(agent, { method: 'POST', url, headers: {}, signal: new AbortController().signal, ...more })
const lostBy = async (work: Promise<unknown>): Promise<LostAnswer> => {
  try {
    await work
  } catch (error) {
    if (error instanceof LostAnswer) return error
    throw error
  }
  throw new Error('It should have been lost.')
}

describe('a request', () => {
  it.each([0, 1, bufferBytes, bufferBytes + 1, 3 * bufferBytes + 17])(
    'sends %i bytes with their length, as they are',
    async (bytes) => {
      const all = content(bytes)
      for (const body of [all, bodyOf(all)]) expect((await ask({ body })).body.toString()).toBe('taken')
      for (const { headers, body } of heard) {
        expect(headers['content-length']).toBe(`${bytes}`)
        expect(headers['transfer-encoding']).toBeUndefined()
        expect(body.equals(all)).toBe(true)
      }
      expect(heard).toHaveLength(2)
    },
  )

  it('fills one buffer again and again, and no faster than it is taken', async () => {
    const seen = new Set<ArrayBufferLike>()
    const all = content(20 * bufferBytes)
    const body = bodyOf(all, {
      read(into, at) {
        seen.add(into.buffer)
        into.set(all.subarray(at, at + into.length))
        return Math.min(into.length, all.length - at)
      },
    })
    await ask({ body })
    expect(seen.size).toBe(1)
    expect(heard[0]?.body.equals(all)).toBe(true)
  })

  it('goes over a connection that is open already', async () => {
    for (let times = 0; times < 5; times++) await ask({ body: content(10) })
    expect(sockets).toBe(1)
  })

  it('keeps no process alive by the connection that it leaves', async () => {
    const program = `
      import { connections, exchange } from ${JSON.stringify(new URL('../../../src/client/http/exchange.ts', import.meta.url).href)}
      const url = new URL(${JSON.stringify(url.href)})
      const signal = new AbortController().signal
      const { status } = await exchange(connections(url, 1), { method: 'GET', url, headers: {}, signal })
      console.log(status)`
    const args = ['--input-type=module', '--disable-warning=ExperimentalWarning', '--eval', program]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
    expect(stdout).toBe('200\n')
  })
})

describe('what a body throws', () => {
  it('is thrown, and nothing of it is a whole request', async () => {
    const error = new Error('The card was pulled.')
    const aborted = new Promise<void>((resolve) => {
      act = async (req) => {
        req.on('error', () => resolve())
        await take(req, {} as ServerResponse)
      }
    })
    const all = content(4 * bufferBytes)
    const whole = bodyOf(all)
    const body = bodyOf(all, {
      read(into, at) {
        if (at >= 2 * bufferBytes) throw error
        return whole.read(into, at)
      },
    })
    await expect(ask({ body })).rejects.toBe(error)
    await aborted
    expect(heard).toEqual([])
  })
})

describe('a connection that breaks', () => {
  it('before the whole is sent means that nothing was taken', async () => {
    act = (req) => {
      req.once('data', () => req.socket.resetAndDestroy())
    }
    const lost = await lostBy(ask({ body: bodyOf(content(40 * bufferBytes)) }))
    expect(lost.bodySent).toBe(false)
  })

  it('after the whole was sent leaves open what became of it', async () => {
    act = async (req) => {
      await once(req.resume(), 'end')
      req.socket.resetAndDestroy()
    }
    for (const body of [content(10), bodyOf(content(2 * bufferBytes))])
      expect((await lostBy(ask({ body }))).bodySent).toBe(true)
  })

  it('in the middle of its answer is lost, too', async () => {
    act = (req, res) => {
      res.writeHead(200, { 'content-length': '100' })
      res.write('half')
      setImmediate(() => req.socket.resetAndDestroy())
    }
    await lostBy(ask({ method: 'GET' }))
  })

  it('is nowhere when nobody listens', async () => {
    server.close()
    server.closeAllConnections()
    expect((await lostBy(ask({ body: bodyOf(content(10)) }))).message).toContain('ECONNREFUSED')
  })
})

describe('the end of a run', () => {
  it('ends a request that waits for its answer, and one that is being sent', async () => {
    const reason = new LuminaError('interrupted', 'The test has stopped the run.')
    for (const body of [content(10), bodyOf(content(40 * bufferBytes))]) {
      const controller = new AbortController()
      act = () => controller.abort(reason)
      await expect(ask({ body, signal: controller.signal })).rejects.toBe(reason)
    }
  })

  it('begins none', async () => {
    await expect(ask({ signal: AbortSignal.abort() })).rejects.toBeDefined()
    expect(sockets).toBe(0)
  })
})

describe('a proxy of the environment', () => {
  /** One that tunnels and forwards, and counts what it was asked for. */
  async function forwarder(): Promise<{ url: string; asked: string[]; close: () => void }> {
    const asked: string[] = []
    const proxy = createServer((req, res) => {
      asked.push(`${req.method} ${req.url}`)
      void take(req, res)
    })
    proxy.on('connect', (req, socket) => {
      asked.push(`CONNECT ${req.url}`)
      const [host, port] = (req.url ?? '').split(':')
      const target = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(target).pipe(socket)
      })
      for (const end of [socket, target]) end.on('error', () => {})
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const close = (): void => {
      proxy.closeAllConnections()
      proxy.close()
    }
    return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked, close }
  }

  it('is used, but not for what NO_PROXY names', async () => {
    const proxy = await forwarder()
    try {
      process.env = { ...environment, HTTP_PROXY: proxy.url }
      agent = connections(url, 4)
      await ask({ body: content(10) })
      expect(proxy.asked).toHaveLength(1)

      agent.destroy()
      process.env = { ...environment, HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' }
      agent = connections(url, 4)
      await ask({ body: content(10) })
      expect(proxy.asked).toHaveLength(1)
    } finally {
      proxy.close()
    }
  })
})
