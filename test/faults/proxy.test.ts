import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { type FaultProxy, faultProxy } from './proxy.ts'

/** What the server has heard, request by request. */
let heard: number[]
let server: Server
let proxy: FaultProxy
let client: Agent

const big = Buffer.alloc(3_000_000, 'x')

beforeEach(async () => {
  heard = []
  server = createServer((req, res) => {
    let bytes = 0
    const at = heard.push(0) - 1
    req.on('data', (chunk: Buffer) => (heard[at] = bytes += chunk.length))
    req.on('error', () => {})
    req.on('end', () => res.end(req.url === '/big' ? big : `heard ${bytes}`))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await faultProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  client = new Agent({ connections: 1 })
})
afterEach(async () => {
  await client.destroy()
  await proxy.close()
  server.closeAllConnections()
  server.close()
})

async function post(bytes: number, dispatcher = client): Promise<string> {
  const { body } = await request(proxy.url, { method: 'POST', body: Buffer.alloc(bytes), dispatcher })
  return body.text()
}

describe('a fault proxy', () => {
  it('lets everything through when nothing is set', async () => {
    expect(await post(3_000_000)).toBe('heard 3000000')
    const { body } = await request(`${proxy.url}/big`, { dispatcher: client })
    expect(big.equals(await buffer(body))).toBe(true)
    expect(proxy.counters).toMatchObject({ connections: 1, cut: 0 })
    expect(proxy.counters.upBytes).toBeGreaterThan(3_000_000)
    expect(proxy.counters.downBytes).toBeGreaterThan(3_000_000)
  })

  it('delays each direction by half the latency', async () => {
    proxy.all({ latencyMs: 80 })
    const before = performance.now()
    await post(1)
    expect(performance.now() - before).toBeGreaterThan(75)
  })

  it('cuts once it has passed on so many bytes', async () => {
    proxy.next({ cutAfterUp: 1_000_000 })
    await expect(post(3_000_000)).rejects.toThrow()
    await expect.poll(() => proxy.open).toBe(0)
    expect(proxy.counters).toMatchObject({ upBytes: 1_000_000, cut: 1 })
    await expect.poll(() => heard[0]).toBeGreaterThan(900_000)
    expect(await post(10)).toBe('heard 10')
  })

  it('cuts there even when no more bytes are to come', async () => {
    proxy.next({ cutAfterUp: 100 })
    const socket = connect(proxy.port, proxy.host)
    socket.write(Buffer.alloc(100, 'x'))
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
  })

  it('cuts an answer', async () => {
    proxy.next({ cutAfterDown: 1_000_000 })
    const { body } = await request(`${proxy.url}/big`, { dispatcher: client })
    await expect(buffer(body)).rejects.toThrow()
    expect(proxy.counters.downBytes).toBe(1_000_000)
  })

  it('lets a request be heard to its end and loses the answer', async () => {
    proxy.next({ loseAnswer: true })
    await expect(post(3_000_000)).rejects.toThrow()
    expect(heard).toEqual([3_000_000])
    expect(proxy.counters).toMatchObject({ downBytes: 0, cut: 1 })
  })

  it('loses the answer after so many bytes, on a connection that has had others', async () => {
    proxy.all({ loseAnswer: 500_000 })
    expect(await post(10)).toBe('heard 10')
    await expect(post(1_000_000)).rejects.toThrow()
    expect(heard).toEqual([10, 1_000_000])
    expect(proxy.counters.connections).toBe(1)
  })

  it('stalls until it is told otherwise', async () => {
    proxy.all({ stallAfterUp: 1_000_000 })
    const sent = post(3_000_000)
    await expect.poll(() => proxy.counters.upBytes).toBe(1_000_000)
    expect(proxy.open).toBe(1)
    proxy.all({})
    expect(await sent).toBe('heard 3000000')
  })

  it('lets so many bytes a second through, until it is told otherwise', async () => {
    proxy.all({ bytesPerSecond: 20 })
    const sent = post(1000)
    await expect.poll(() => proxy.counters.upBytes).toBeGreaterThan(1)
    expect(proxy.counters.upBytes).toBeLessThan(1000)
    proxy.all({})
    expect(await sent).toBe('heard 1000')
  })

  it('answers garbage', async () => {
    proxy.next({ garbage: 'This is no HTTP.\r\n\r\n' })
    await expect(post(3_000_000)).rejects.toThrow()
    expect(heard).toEqual([])
    expect(await post(10)).toBe('heard 10')
  })

  it('resets a connection at once, and lets the next through', async () => {
    proxy.next({ refuse: true })
    await expect(post(1)).rejects.toThrow()
    expect(await post(1)).toBe('heard 1')
    expect(proxy.counters).toMatchObject({ connections: 2, cut: 1 })
  })

  it('refuses connections as if nobody listened, and takes them again on the same port', async () => {
    await proxy.refuse()
    const refused = connect(proxy.port, proxy.host)
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    await proxy.accept()
    expect(await post(1)).toBe('heard 1')
  })

  it('cuts what is open', async () => {
    proxy.all({ stallAfterUp: 1000 })
    const sent = post(3000)
    await expect.poll(() => proxy.counters.upBytes).toBe(1000)
    proxy.cut()
    await expect(sent).rejects.toThrow()
    await expect.poll(() => proxy.open).toBe(0)
  })
})
