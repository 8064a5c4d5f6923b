import { randomUUID } from 'node:crypto'

import type { Destination } from '../../../src/client/destination.ts'
import { supabaseDestination } from '../../../src/client/drivers/supabase.ts'
import { fixedCredentials } from '../../../src/client/http/credentials.ts'
import type { Subject } from '../../contract/destination.ts'
import { startStorage } from '../../supabase/storage.ts'

/** A new bucket of a real project. */
export async function realSubject(url: string, key: string): Promise<Subject> {
  const bucket = `lumina-test-${randomUUID()}`
  const ask = async (method: string, path: string, body: object): Promise<void> => {
    const headers = { apikey: key, authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/storage/v1${path}`, { method, headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  await ask('POST', '/bucket', { id: bucket, name: bucket, public: false })
  const open = (): Destination => supabaseDestination({ url, bucket, credentials: fixedCredentials(key) })
  const destination = open()
  return {
    destination,
    reopen: open,
    halves: () => [],
    async dispose() {
      await ask('POST', `/bucket/${bucket}/empty`, {})
      await ask('DELETE', `/bucket/${bucket}`, {})
      await destination.close?.()
    },
  }
}

export async function supabaseSubject(): Promise<Subject> {
  const storage = await startStorage({ drainMs: 1000, poolSize: 1000 })
  storage.createBucket('photos')
  const opened: Destination[] = []
  const open = (): Destination => {
    const credentials = fixedCredentials(storage.serviceKey)
    const destination = supabaseDestination({ url: storage.url, bucket: 'photos', credentials })
    opened.push(destination)
    return destination
  }
  return {
    destination: open(),
    reopen: open,
    halves: () => [],
    async dispose() {
      for (const destination of opened) await destination.close?.()
      await storage.close()
    },
  }
}
