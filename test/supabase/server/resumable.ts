import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Server, type ServerOptions } from '@tus/server'

import { type Answer, type Call, header } from './call.ts'
import { StorageError, refusals } from './errors.ts'
import { checkKey } from './keys.ts'
import { Locks } from './locks.ts'
import { mayStore } from './policy.ts'
import { accessOf, checkType, type Service } from './service.ts'
import type { Described } from './store.ts'
import { decoded } from './upload.ts'
import { UploadStore } from './uploads.ts'
import { tally } from './wire.ts'

type TusRequest = Parameters<NonNullable<ServerOptions['onIncomingRequest']>>[0]

export interface ResumableOptions {
  folder: string
  expiryMs: number
  /** How long one who wants an upload that another is writing to waits for it. */
  lockTimeoutMs: number
  /** How long the one that is evicted may go on. */
  drainMs: number
  productionLocation: boolean
  partBytes: number | undefined
}

/** Where an upload is to go. */
interface Target {
  bucket: string
  key: string
}

export interface Resumable {
  handle(call: Call): Promise<Answer | void>
}

const resumablePath = '/storage/v1/upload/resumable'

/** TUS over the same objects. Its refusals are plain text, with a status that is what it says. */
export function resumable(service: Service, options: ResumableOptions): Resumable {
  const uploads = new UploadStore(options.folder, options.expiryMs, options.partBytes)
  const targets = new Map<string, Target>()
  const calls = new WeakMap<IncomingMessage, Call>()
  const locks = new Locks(options.lockTimeoutMs, () => inText(refusals.lockTimeout()))

  const callOf = (req: TusRequest): Call => {
    const node = req.runtime?.node?.req
    const call = node && calls.get(node as IncomingMessage)
    if (!call) throw new Error('A request that this server did not take.')
    return call
  }
  const targetOf = (id: string): Target => {
    const target = targets.get(id)
    if (!target) throw new TusRefusal(404, 'The file for this url was not found\n')
    return target
  }
  const upserts = (call: Call): boolean => header(call, 'x-upsert') === 'true'
  /** Asked for each PATCH anew: what the creation was allowed counts for nothing. */
  const refuse = (call: Call, { bucket: name, key }: Target): void => {
    const bucket = service.store.bucket(name)
    if (!mayStore(accessOf(service, call), upserts(call))) throw refusals.rowSecurity()
    if (!upserts(call) && bucket.objects.has(key)) throw refusals.keyAlreadyExists()
  }

  const server = new Server({
    path: resumablePath,
    datastore: uploads,
    lockDrainTimeout: options.drainMs,
    disableTerminationForFinishedUploads: true,
    locker: (req) => ({
      newLock: (id) => {
        const { req: body } = callOf(req)
        let release = (): void => {}
        return {
          lock: async (signal, askBack) => {
            release = await locks.take(id, () => void askBack(), signal)
            uploads.heldBy(id, () => body.destroyed && !body.complete)
          },
          unlock: async () => release(),
        }
      },
    }),
    namingFunction: (req, metadata) =>
      inTextSync(() => {
        const bucket = metadata?.['bucketName'] ?? ''
        const key = metadata?.['objectName'] ?? ''
        if (bucket === '' || key === '') throw refusals.invalidRequest('Metadata header is required')
        checkKey(key)
        const id = randomUUID()
        targets.set(id, { bucket, key })
        count(callOf(req), id)
        return id
      }),
    generateUrl: (_req, { proto, host, path, id }) => {
      const { bucket, key } = targetOf(id)
      const name = Buffer.from(`${bucket}/${key}/${id}`).toString('base64url')
      return `${options.productionLocation ? 'https' : proto}://${host}${path}/${name}`
    },
    getFileIdFromRequest: (_req, last) =>
      last === undefined || resumablePath.endsWith(`/${last}`) ? undefined : uploadIdOf(last),
    maxSize: (_req, id) =>
      inTextSync(() => (id === null ? 0 : (service.store.bucket(targetOf(id).bucket).fileSizeLimit ?? 0))),
    onIncomingRequest: async (req, id) =>
      inTextSync(() => {
        const call = callOf(req)
        if (call.method === 'PATCH' && targets.has(id)) count(call, id)
        if (call.method !== 'HEAD') refuse(call, targetOf(id))
      }),
    onUploadCreate: async (_req, upload) =>
      inTextSync(() => {
        const type = upload.metadata?.['contentType']
        if (type) checkType(service.store.bucket(targetOf(upload.id).bucket), type)
        return {}
      }),
    onUploadFinish: async (req, upload) => {
      if (uploads.isFinished(upload.id)) return {}
      const call = callOf(req)
      const { bucket: name, key } = targetOf(upload.id)
      try {
        const bucket = service.store.bucket(name)
        const release = await service.locks.take(`${name}/${key}`)
        try {
          if (service.virtues.atomicNoUpsert) refuse(call, { bucket: name, key })
          const received = await uploads.finish(upload, service.store.newPath())
          await service.store.publish(bucket, key, received, describe(upload.metadata, call))
        } finally {
          release()
        }
        return { headers: { 'Tus-Complete': '1' } }
      } catch (error) {
        throw inText(error)
      }
    },
  })

  function count(call: Call, id: string): void {
    const { bucket, key } = targetOf(id)
    tally(call.req, service.counters.uploadBytes, id)
    tally(call.req, service.counters.bodyBytes, `${bucket}/${key}`)
  }

  return {
    async handle(call) {
      calls.set(call.req, call)
      await uploads.sweep()
      const holds = call.method === 'PATCH' || call.method === 'POST'
      const give = holds ? await service.pool.take() : () => {}
      // a request whose client was killed is never handled to its end
      call.res.once('close', give)
      try {
        await server.handle(call.req, call.res)
      } finally {
        give()
      }
    },
  }
}

/** The id of an upload, by which its bytes are counted, from its URL or the last segment of it. */
export const uploadIdOf = (url: string): string | undefined =>
  Buffer.from(url.split('/').at(-1) ?? '', 'base64url')
    .toString()
    .split('/')
    .at(-1)

function describe(metadata: Record<string, string | null> | undefined, call: Call): Described {
  const seconds = metadata?.['cacheControl'] ?? ''
  return {
    type: metadata?.['contentType'] ?? 'application/octet-stream',
    cacheControl: /^\d+$/.test(seconds) ? `max-age=${seconds}` : 'no-cache',
    metadata: decoded(metadata?.['metadata'] ?? ''),
    owner: call.claims.sub,
  }
}

/** As @tus/server wants to be told. */
class TusRefusal extends Error {
  readonly status_code: number
  readonly body: string

  constructor(status: number, body: string) {
    super(body)
    this.status_code = status
    this.body = body
  }
}

function inText(error: unknown): Error {
  if (error instanceof StorageError) return new TusRefusal(error.statusCode, error.message)
  return error instanceof Error ? error : new Error(String(error))
}

function inTextSync<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw inText(error)
  }
}
