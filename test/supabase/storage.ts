import { once } from 'node:events'
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Accounts } from './server/accounts.ts'
import { type Call, send } from './server/call.ts'
import { Counters } from './server/counters.ts'
import { refusals } from './server/errors.ts'
import { Locks } from './server/locks.ts'
import { newPolicy, type Policy } from './server/policy.ts'
import { Pool } from './server/pool.ts'
import { resumable } from './server/resumable.ts'
import { respond, routes, type Route } from './server/routes.ts'
import type { Rpc } from './server/rpc.ts'
import { type Action, before, deaf, type Fault, type Matcher, Script } from './server/scripted.ts'
import type { Service, Virtues } from './server/service.ts'
import { type BucketOptions, type Etag, Store, type StoredFile } from './server/store.ts'
import { nowSeconds, Tokens } from './server/tokens.ts'
import { listen } from './server/wire.ts'

export { insertOnly } from './server/policy.ts'
export { uploadIdOf } from './server/resumable.ts'
export { underLoad } from './server/scripted.ts'
export type { Action, Fault, Matcher } from './server/scripted.ts'
export type { StoredFile } from './server/store.ts'
export type { Rpc } from './server/rpc.ts'
export type { Claims } from './server/tokens.ts'

/** Each default is what was measured of the service. */
export interface StorageOptions extends Virtues {
  /** `multipart`: no plain MD5, as an S3 behind the service gives it. */
  etag?: Etag
  /** The Location of a resumable upload says https, whatever it was asked over. */
  productionLocation?: boolean
  /** Connections to the database: each PATCH in flight holds one. */
  poolSize?: number
  /** How long a request waits for one of them, before it is answered 544. */
  poolWaitMs?: number
  lockTimeoutMs?: number
  /** How long an evicted PATCH may go on. */
  drainMs?: number
  uploadExpiryMs?: number
  /** As with an S3 behind the service: a PATCH whose connection breaks keeps only whole parts of this size. */
  partBytes?: number
  rpc?: Rpc
}

export interface FakeStorage extends AsyncDisposable {
  /** http://127.0.0.1:port, the same after a restart. */
  readonly url: string
  readonly port: number
  /** Contents lie in it, and in `uploads` what is under way. */
  readonly folder: string
  readonly serviceKey: string
  readonly anonKey: string
  tokenFor(user: { sub?: string; role?: string; expiresInSeconds?: number }): string
  createBucket(name: string, options?: BucketOptions): void
  objects(bucket: string): ReadonlyMap<string, StoredFile>
  readonly counters: Counters
  /** Changed in place. */
  readonly policy: Policy
  readonly accounts: Accounts
  /** Strikes requests that match; once, if the matcher does not say otherwise. */
  fault(matcher: Matcher, action: Action): Fault
  clearFaults(): void
  /** Holds the lock of an object until the function is called that it returns. */
  lock(bucket: string, key: string): Promise<() => void>
  /** As after a kill -9: every connection is cut, what was written stays. */
  restart(): Promise<void>
  close(): Promise<void>
}

const yearSeconds = 365 * 24 * 60 * 60

/** A service of object storage in this process, with the traps that Supabase's has. */
export async function startStorage(options: StorageOptions = {}): Promise<FakeStorage> {
  const folder = await mkdtemp(join(tmpdir(), 'lumina-storage-'))
  const uploadFolder = join(folder, 'uploads')
  await mkdir(uploadFolder)
  const lockTimeoutMs = options.lockTimeoutMs ?? 5000
  const tokens = new Tokens()
  const counters = new Counters()
  const script = new Script()
  const accounts = new Accounts(tokens, counters)
  const service: Service = {
    store: new Store(folder, options.etag ?? 'md5'),
    tokens,
    counters,
    policy: newPolicy(),
    virtues: options,
    locks: new Locks(lockTimeoutMs, refusals.lockTimeout),
    pool: new Pool(options.poolSize ?? 20, options.poolWaitMs ?? 3000),
  }
  const tus = resumable(service, {
    folder: uploadFolder,
    expiryMs: options.uploadExpiryMs ?? 24 * 60 * 60 * 1000,
    lockTimeoutMs,
    drainMs: options.drainMs ?? 3000,
    productionLocation: options.productionLocation ?? false,
    partBytes: options.partBytes,
  })
  const table = routes({ service, tus, accounts, rpc: options.rpc })
  let server = await serve(0, script, counters, service, table)
  const { port } = server.address() as AddressInfo
  const tokenFor: FakeStorage['tokenFor'] = ({ sub, role = 'authenticated', expiresInSeconds = 3600 }) =>
    tokens.sign({ role, exp: nowSeconds() + expiresInSeconds, ...(sub !== undefined && { sub }) })
  const close = async (): Promise<void> => {
    await stop(server)
    // a body that was cut may be written to its end just now
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    folder,
    serviceKey: tokenFor({ role: 'service_role', expiresInSeconds: yearSeconds }),
    anonKey: tokenFor({ role: 'anon', expiresInSeconds: yearSeconds }),
    tokenFor,
    createBucket: (name, bucket) => void service.store.createBucket(name, bucket),
    objects: (bucket) => service.store.bucket(bucket).objects,
    counters,
    policy: service.policy,
    accounts,
    fault: (matcher, action) => script.add(matcher, action),
    clearFaults: () => script.clear(),
    lock: (bucket, key) => service.locks.take(`${bucket}/${key}`),
    async restart() {
      await stop(server)
      server = await serve(port, script, counters, service, table)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function serve(
  port: number,
  script: Script,
  counters: Counters,
  service: Service,
  table: readonly Route[],
): Promise<Server> {
  const server = createServer((req, res) => void take(req, res, script, counters, service, table))
  // a slow upload is no attack here
  server.requestTimeout = 0
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

async function take(
  req: IncomingMessage,
  res: ServerResponse,
  script: Script,
  counters: Counters,
  service: Service,
  table: readonly Route[],
): Promise<void> {
  const { pathname, searchParams } = new URL(`http://x${req.url ?? '/'}`)
  const path = (req.url ?? '/').split('?')[0] ?? pathname
  const call: Call = {
    req,
    res,
    method: req.method ?? 'GET',
    path,
    query: searchParams,
    claims: { role: 'anon' },
    bucket: '',
    key: '',
  }
  const action = script.strike(call)
  listen(req, (bytes, ended) => deaf(action, call, bytes, ended))
  // whoever hangs up is no error of this server
  req.on('error', () => {})
  res.on('error', () => {})
  try {
    const answer = action && (await before(action, call))
    if (answer === 'lost') return
    if (answer) return send(res, answer)
    await respond(table, call, counters, service)
  } catch {
    // the connection is gone, or half an answer is out
    req.socket.destroy()
  }
}
