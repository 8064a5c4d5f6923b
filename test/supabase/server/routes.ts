import type { Accounts } from './accounts.ts'
import { createBucket, getBucket, listBuckets } from './buckets.ts'
import { type Answer, type Call, type Handler, header, send } from './call.ts'
import type { Counters } from './counters.ts'
import { refusals, StorageError } from './errors.ts'
import { list, listV2 } from './listing.ts'
import { download, downloadPublic, info, relocate, remove, removeMany } from './objects.ts'
import type { Resumable } from './resumable.ts'
import { callFunction, type Rpc, unauthorized } from './rpc.ts'
import type { Service } from './service.ts'
import { signUpload, uploadSigned } from './signed.ts'
import { upload } from './upload.ts'

export interface Route {
  /** As it is counted, without the method. */
  readonly name: string
  readonly methods: readonly string[]
  readonly pattern: RegExp
  /** Whose token is asked for, and who refuses it. */
  readonly auth: 'storage' | 'rest' | 'auth' | 'open'
  readonly handle: Handler
}

interface Parts {
  service: Service
  tus: Resumable
  accounts: Accounts
  rpc: Rpc | undefined
}

const object = String.raw`(?<bucket>[^/]+)/(?<key>.+)`
const bucket = '(?<bucket>[^/]+)'

/** The first that matches is taken. */
export function routes({ service, tus, accounts, rpc }: Parts): Route[] {
  const storage = (methods: string, path: string, handle: Handler, auth: Route['auth'] = 'storage'): Route => ({
    // the names of a pattern are no part of the route's
    name: path.replace(`/${object}`, '').replace(`/${bucket}`, '').replace('(?:/.*)?', ''),
    methods: methods.split(' '),
    pattern: new RegExp(`^/storage/v1${path}$`),
    auth,
    handle,
  })
  return [
    storage('POST PATCH HEAD DELETE OPTIONS', '/upload/resumable(?:/.*)?', (call) => tus.handle(call)),
    storage('POST', `/object/upload/sign/${object}`, (call) => signUpload(service, call)),
    storage('PUT', `/object/upload/sign/${object}`, (call) => uploadSigned(service, call), 'open'),
    storage('POST', `/object/list/${bucket}`, (call) => list(service, call)),
    storage('POST', `/object/list-v2/${bucket}`, (call) => listV2(service, call)),
    storage('POST', '/object/move', (call) => relocate(service, call, 'move')),
    storage('POST', '/object/copy', (call) => relocate(service, call, 'copy')),
    storage('GET HEAD', `/object/info/${object}`, (call) => info(service, call)),
    storage('GET HEAD', `/object/authenticated/${object}`, (call) => download(service, call)),
    storage('GET HEAD', `/object/public/${object}`, (call) => downloadPublic(service, call), 'open'),
    storage('POST', `/object/${object}`, (call) => upload(service, call, header(call, 'x-upsert') === 'true')),
    storage('PUT', `/object/${object}`, (call) => upload(service, call, true)),
    storage('GET HEAD', `/object/${object}`, (call) => download(service, call)),
    storage('DELETE', `/object/${object}`, (call) => remove(service, call)),
    storage('DELETE', `/object/${bucket}`, (call) => removeMany(service, call)),
    storage('GET', '/bucket', (call) => listBuckets(service, call)),
    storage('POST', '/bucket', (call) => createBucket(service, call)),
    storage('GET', `/bucket/${bucket}`, (call) => getBucket(service, call)),
    {
      name: '/token',
      methods: ['POST'],
      pattern: /^\/auth\/v1\/token$/,
      auth: 'open',
      handle: (call) => accounts.token(call),
    },
    {
      name: '/user',
      methods: ['GET'],
      pattern: /^\/auth\/v1\/user$/,
      auth: 'auth',
      handle: (call) => accounts.user(call),
    },
    {
      name: '/rpc',
      methods: ['POST'],
      pattern: /^\/rest\/v1\/rpc\/(?<key>[^/]+)$/,
      auth: 'rest',
      handle: (call) => callFunction(rpc, call.key, call),
    },
  ]
}

export async function respond(
  table: readonly Route[],
  call: Call,
  counters: Counters,
  service: Service,
): Promise<void> {
  try {
    const answer = await handled(table, call, counters, service)
    if (answer) send(call.res, answer)
  } catch (error) {
    if (call.res.headersSent || call.req.errored) throw error
    send(call.res, answerTo(error))
  }
}

async function handled(
  table: readonly Route[],
  call: Call,
  counters: Counters,
  service: Service,
): Promise<Answer | void> {
  const found = table.find(({ methods, pattern }) => methods.includes(call.method) && pattern.test(call.path))
  if (!found) {
    counters.count(`${call.method} ?`)
    return { status: 404, body: refusals.noRoute(call.method, call.path) }
  }
  counters.count(`${call.method} ${found.name}`)
  const names = found.pattern.exec(call.path)?.groups
  call.bucket = decode(names?.['bucket'] ?? '')
  call.key = decode(names?.['key'] ?? '')
  const refused = authorize(found.auth, call, service)
  if (refused) return refused
  // whatever is asked, the database has to be there
  const give = await service.pool.take()
  give()
  return found.handle(call)
}

function authorize(auth: Route['auth'], call: Call, service: Service): Answer | undefined {
  if (auth === 'open' || call.method === 'OPTIONS') return undefined
  const bearer = /^Bearer (.+)$/i.exec(header(call, 'authorization') ?? '')?.[1]
  if (auth === 'storage') {
    if (bearer === undefined) throw refusals.invalidRequest("headers must have required property 'authorization'")
    call.claims = verified(service, bearer, refusals.accessDenied)
    return undefined
  }
  const apiKey = header(call, 'apikey')
  if (apiKey === undefined) return { status: 401, body: { message: 'No API key found in request' } }
  try {
    call.claims = service.tokens.verify(bearer ?? apiKey)
    return undefined
  } catch (error) {
    const { message } = error as Error
    return auth === 'rest'
      ? unauthorized(message)
      : { status: 403, body: { code: 403, error_code: 'bad_jwt', msg: `invalid JWT: ${message}` } }
  }
}

function verified(service: Service, token: string, refusal: (message: string) => StorageError): Call['claims'] {
  try {
    return service.tokens.verify(token)
  } catch (error) {
    throw refusal((error as Error).message)
  }
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw refusals.invalidRequest('Bad Request')
  }
}

function answerTo(error: unknown): Answer {
  const refusal = error instanceof StorageError ? error : refusals.internalError()
  return { status: refusal.httpStatus, body: refusal }
}
