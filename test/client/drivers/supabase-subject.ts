import type { Destination } from '../../../src/client/destination.ts'
import { supabaseDestination } from '../../../src/client/drivers/supabase.ts'
import { fixedCredentials } from '../../../src/client/http/credentials.ts'
import type { Subject } from '../../contract/destination.ts'
import { startStorage } from '../../supabase/storage.ts'

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
