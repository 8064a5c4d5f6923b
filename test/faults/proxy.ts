import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

import { Link, type LinkFaults } from './link.ts'

/** What a connection suffers. Bytes are counted from when it was opened, or from when the faults were set. */
export interface Faults {
  /** There and back: half of it in each direction. */
  latencyMs?: number
  /** In each direction. */
  bytesPerSecond?: number
  /** Reset, after so many bytes from the client have been passed on. */
  cutAfterUp?: number
  /** Reset, after so many bytes to the client have been passed on. */
  cutAfterDown?: number
  /** After so many bytes from the client nothing moves any more in that direction. */
  stallAfterUp?: number
  stallAfterDown?: number
  /**
   * Reset where the answer would begin, so that the request has been heard to its end. With a number: the first answer
   * after so many bytes from the client.
   */
  loseAnswer?: boolean | number
  /** Sent instead of an answer, without asking anybody. */
  garbage?: string | Uint8Array
  /** Reset at once. */
  refuse?: boolean
}

export interface ProxyCounters {
  connections: number
  /** Connections that a fault ended. */
  cut: number
  upBytes: number
  downBytes: number
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** http://host:port */
  readonly url: string
  readonly counters: ProxyCounters
  /** How many connections are open now. */
  readonly open: number
  /** For one connection: the next that has none yet. */
  next(faults: Faults): void
  /** For all connections from now on, and for those that are open. Replaces what was set before. */
  all(faults: Faults): void
  /** Resets every open connection. */
  cut(): void
  /** Nobody listens any more: connections are refused, until `accept`. Those that are open stay. */
  refuse(): Promise<void>
  accept(): Promise<void>
  close(): Promise<void>
}

const host = '127.0.0.1'

/** Stands between a client and `target`, and does to its connections what networks do. */
export async function faultProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const counters: ProxyCounters = { connections: 0, cut: 0, upBytes: 0, downBytes: 0 }
  const connections = new Set<Connection>()
  const next: Faults[] = []
  let general: Faults = {}
  let port = 0

  const take = (client: Socket): void => {
    counters.connections++
    const connection = new Connection(client, target, next.shift() ?? general, counters)
    connections.add(connection)
    client.on('close', () => connections.delete(connection))
  }
  const listen = async (): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, take).listen(port, host)
    await once(server, 'listening')
    return server
  }
  let server = await listen()
  ;({ port } = server.address() as AddressInfo)

  const close = async (): Promise<void> => {
    server.close()
    for (const connection of connections) connection.end()
  }

  return {
    host,
    port,
    url: `http://${host}:${port}`,
    counters,
    get open() {
      return connections.size
    },
    next: (faults) => void next.push(faults),
    all(faults) {
      general = faults
      for (const connection of connections) connection.suffer(faults)
    },
    cut() {
      for (const connection of connections) connection.cut()
    },
    // without waiting for its end, which comes with that of the last connection
    refuse: async () => void server.close(),
    async accept() {
      if (!server.listening) server = await listen()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

class Connection {
  readonly #client: Socket
  #server: Socket | undefined
  readonly #counters: ProxyCounters
  readonly #links: Link[] = []
  #faults: Faults
  /** Since the faults were set. */
  #up = 0
  #ended = false

  constructor(client: Socket, target: { host: string; port: number }, faults: Faults, counters: ProxyCounters) {
    this.#client = client
    this.#faults = faults
    this.#counters = counters
    client.on('error', () => this.end())
    if (faults.refuse === true) this.cut()
    else if (faults.garbage === undefined) this.#join(target)
    else this.#answerGarbage(faults.garbage)
  }

  #join(target: { host: string; port: number }): void {
    const client = this.#client
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#server = server
    server.on('error', () => this.end())
    this.#links.push(
      new Link(client, server, {
        faults: () => linkFaults(this.#faults, this.#faults.cutAfterUp, this.#faults.stallAfterUp),
        passing: (bytes) => this.#passingUp(bytes),
        cut: () => this.cut(),
      }),
      new Link(server, client, {
        faults: () => linkFaults(this.#faults, this.#faults.cutAfterDown, this.#faults.stallAfterDown),
        passing: (bytes) => this.#passingDown(bytes),
        cut: () => this.cut(),
      }),
    )
  }

  suffer(faults: Faults): void {
    this.#faults = faults
    this.#up = 0
    if (faults.refuse === true) this.cut()
    for (const link of this.#links) link.changed()
  }

  /** As a network does it: the client gets a reset, and the server is left with what it has. */
  cut(): void {
    if (this.#ended) return
    this.#counters.cut++
    this.end()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const link of this.#links) link.close()
    this.#client.resetAndDestroy()
    // a reset would take back what has been passed on
    this.#server?.destroySoon()
  }

  #passingUp(bytes: number): boolean {
    this.#up += bytes
    this.#counters.upBytes += bytes
    return true
  }

  #passingDown(bytes: number): boolean {
    const { loseAnswer } = this.#faults
    if (loseAnswer === true || (typeof loseAnswer === 'number' && this.#up >= loseAnswer)) {
      this.cut()
      return false
    }
    this.#counters.downBytes += bytes
    return true
  }

  #answerGarbage(garbage: string | Uint8Array): void {
    this.#client.once('data', () => {
      this.#counters.cut++
      this.#client.end(garbage)
    })
    // what follows is not heard, and does not stop the client from sending it
    this.#client.on('data', () => {})
    this.#client.on('end', () => this.#client.end())
  }
}

function linkFaults(faults: Faults, cutAfter = Infinity, stallAfter = Infinity): LinkFaults {
  const { latencyMs = 0, bytesPerSecond = Infinity } = faults
  return { delayMs: latencyMs / 2, bytesPerSecond, cutAfter, stallAfter }
}
