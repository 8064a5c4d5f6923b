import { type Answer, type Call, jsonBody, ok } from './call.ts'
import { refusals } from './errors.ts'
import { accessOf, type Service } from './service.ts'
import type { Bucket } from './store.ts'

const described = (bucket: Bucket): object => ({
  id: bucket.name,
  name: bucket.name,
  owner: '',
  public: bucket.public ?? false,
  file_size_limit: bucket.fileSizeLimit ?? null,
  allowed_mime_types: bucket.allowedMimeTypes ?? null,
  created_at: bucket.createdAt.toISOString(),
  updated_at: bucket.createdAt.toISOString(),
})

/** Buckets are rows of their own: without a policy on them, only the service role sees any. */
function isService(service: Service, call: Call): boolean {
  accessOf(service, call)
  return call.claims.role === 'service_role'
}

export async function listBuckets(service: Service, call: Call): Promise<Answer> {
  return ok(isService(service, call) ? [...service.store.buckets.values()].map(described) : [])
}

export async function getBucket(service: Service, call: Call): Promise<Answer> {
  if (!isService(service, call)) throw refusals.noSuchBucket()
  return ok(described(service.store.bucket(call.bucket)))
}

export async function createBucket(service: Service, call: Call): Promise<Answer> {
  const asked = (await jsonBody(call)) as {
    name?: string
    id?: string
    public?: boolean
    file_size_limit?: number | null
    allowed_mime_types?: string[] | null
  }
  if (!isService(service, call)) throw refusals.rowSecurity()
  const name = asked.id ?? asked.name
  if (name === undefined) throw refusals.invalidRequest("body must have required property 'name'")
  service.store.createBucket(name, {
    public: asked.public ?? false,
    ...(asked.file_size_limit !== null &&
      asked.file_size_limit !== undefined && { fileSizeLimit: asked.file_size_limit }),
    ...(asked.allowed_mime_types && { allowedMimeTypes: asked.allowed_mime_types }),
  })
  return ok({ name })
}
