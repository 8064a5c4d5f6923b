import { onTestFinished } from 'vitest'

import { type FakeStorage, startStorage, type StorageOptions } from '../supabase/storage.ts'
import type { Options, Program, Ran } from './program.ts'
import { createScene, sha256, type Scene } from './scene.ts'

export const bucket = 'photos'
const to = `supabase://${bucket}/2026`

/** A source, a machine's state, and a storage service in this process. */
export interface ServiceScene extends Scene {
  storage: FakeStorage
  env: Record<string, string>
  /** `lumina upload <source> --to supabase://photos/2026 --json <more>`, begun. */
  send(more?: readonly string[], options?: Options): Program
  sent(more?: readonly string[], options?: Options): Promise<Ran>
  verified(more?: readonly string[], options?: Options): Promise<Ran>
  /** What photos are stored: key → digest. */
  stored(): Promise<Map<string, string>>
  /** Requests that changed or created an object. */
  writes(): number
}

export async function createServiceScene(options?: StorageOptions, on?: string): Promise<ServiceScene> {
  const storage = await startStorage(options)
  onTestFinished(() => storage.close())
  storage.createBucket(bucket)
  const scene = createScene(on)
  const env = { SUPABASE_URL: storage.url, SUPABASE_KEY: storage.serviceKey }
  const withEnv = (more: Options = {}): Options => ({ ...more, env: { ...env, ...more.env } })
  const send: ServiceScene['send'] = (more = [], given) =>
    scene.start(['upload', scene.source, '--to', to, '--json', ...more], withEnv(given))
  return {
    ...scene,
    storage,
    env,
    send,
    sent: (more, given) => send(more, given).ended,
    verified: (more = [], given) => scene.run(['verify', scene.source, '--to', to, '--json', ...more], withEnv(given)),
    async stored() {
      const photos = [...storage.objects(bucket)].filter(([key]) => !key.startsWith('.lumina/'))
      return new Map(await Promise.all(photos.map(async ([key, file]) => [key, await file.sha256()] as const)))
    },
    writes() {
      const { requests } = storage.counters
      return ['POST /object', 'PUT /object', 'POST /upload/resumable', 'PATCH /upload/resumable']
        .map((route) => requests.get(route) ?? 0)
        .reduce((sum, count) => sum + count, 0)
    },
  }
}

export { sha256 }
