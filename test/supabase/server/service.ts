import { refusals } from './errors.ts'
import type { Call } from './call.ts'
import type { Counters } from './counters.ts'
import type { Locks } from './locks.ts'
import type { Access, Policy } from './policy.ts'
import type { Pool } from './pool.ts'
import type { Bucket, Store, StoredFile } from './store.ts'
import type { Tokens } from './tokens.ts'

/** Ways in which the service could be better than it is; each off, as measured. */
export interface Virtues {
  /** A second of two overlapping uploads without upsert is refused. */
  atomicNoUpsert?: boolean
  /** A body without a length is held to the bucket's limit. */
  limitsChunkedBodies?: boolean
  /** Content-MD5 is compared, and `If-None-Match: *` refuses an existing key. */
  honoursPreconditions?: boolean
}

/** What the parts of the server share. */
export interface Service {
  readonly store: Store
  readonly tokens: Tokens
  readonly policy: Policy
  readonly counters: Counters
  readonly virtues: Virtues
  /** One lock for each object, held while its name is given. */
  readonly locks: Locks
  readonly pool: Pool
}

/** What the role of `call` may do; a role that the database does not know is the database's error. */
export function accessOf(service: Service, call: Call): Access {
  const access = service.policy[call.claims.role]
  if (!access) throw refusals.databaseError(`role "${call.claims.role}" does not exist`)
  return access
}

/** The object that `call` names, as far as its role may see it. */
export function visible(service: Service, call: Call): { bucket: Bucket; file: StoredFile } {
  const access = accessOf(service, call)
  const bucket = service.store.bucket(call.bucket)
  const file = bucket.objects.get(call.key)
  if (!file || !access.select) throw refusals.noSuchKey()
  return { bucket, file }
}

/** Exact, as the service compares: a charset is part of the type. */
export function checkType(bucket: Bucket, type: string): void {
  const allowed = bucket.allowedMimeTypes
  const matches = (pattern: string): boolean =>
    pattern === type || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1)))
  if (allowed && !allowed.some(matches)) throw refusals.invalidMimeType(type)
}
