import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, workerData } from 'node:worker_threads'

import { sessionCredentials } from '../../src/client/supabase-session/credentials.ts'
import { sessionLock } from '../../src/client/supabase-session/file.ts'

/** Asks for a login, as a lane does, and prints it. By its arguments as a process, by its data as a thread. */
const { file, refused } = isMainThread
  ? { file: process.argv[2] as string, refused: process.argv[3] }
  : (workerData as { file: string; refused?: string })

const credentials = sessionCredentials({ file, lockPath: sessionLock(file), nowMs: Date.now })
const { signal } = new AbortController()
try {
  const { bearer } = await (refused ? credentials.renewed(refused, signal) : credentials.current(signal))
  // the same again, from memory
  await pause(0)
  const again = await credentials.current(signal)
  process.stdout.write(again.bearer === bearer ? `${bearer}\n` : 'changed\n')
} catch (error) {
  process.stdout.write(`${String(error)}\n`)
}
