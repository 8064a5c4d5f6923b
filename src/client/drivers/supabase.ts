import type { Destination } from '../destination.ts'
import type { Credentials } from '../http/credentials.ts'
import { keyRules } from './supabase/names.ts'
import { Objects } from './supabase/objects.ts'
import { Service } from './supabase/service.ts'
import { pieceBytes, resumableUploads } from './supabase/tus.ts'

export interface SupabaseOptions {
  /** The project's origin: `https://ref.supabase.co`. */
  url: string
  bucket: string
  credentials: Credentials
  /** Larger contents go in pieces. */
  resumableOverBytes?: number
  /** Open at once, over all calls of this driver. */
  connections?: number
}

/**
 * A bucket of Supabase Storage. What the service cannot do itself is not pretended: a put without upsert is not atomic there, so
 * names are guarded by a catalog's claims, or by digits of the digest in them.
 */
export function supabaseDestination(options: SupabaseOptions): Destination {
  const { url, bucket, credentials, resumableOverBytes = pieceBytes, connections = 64 } = options
  const place = `supabase://${bucket}`
  const service = new Service({ url, place, credentials, connections })
  const large = new Service({ url: uploadOrigin(url), place, credentials, connections })
  const objects = new Objects(service, bucket)
  return {
    name: place,
    traits: {
      atomicNoClobber: false,
      keyAtFinish: false,
      maxObjectBytes: Number.MAX_SAFE_INTEGER,
      checksum: 'md5',
      keyRules,
    },
    stat: (key, ctx) => objects.stat(key, ctx),
    put: (key, source, ctx) => objects.put(key, source, ctx),
    get: (key, from, ctx) => objects.get(key, from, ctx),
    move: (from, to, ctx) => objects.move(from, to, ctx),
    list: (prefix, ctx) => objects.list(prefix, ctx),
    remove: (key, ctx) => objects.remove(key, ctx),
    resumable: resumableUploads(large, objects, resumableOverBytes + 1),
    async close() {
      service.close()
      large.close()
    },
  }
}

/** Hosted projects take large files at a host of their own: https://supabase.com/docs/guides/storage/uploads/resumable-uploads */
function uploadOrigin(url: string): string {
  return url.replace(/^https:\/\/([a-z0-9]+)\.supabase\.co$/, 'https://$1.storage.supabase.co')
}
