import { accessSync, constants } from 'node:fs'

/** By its permissions. It is not opened: to close an SQLite file lets go of all of this process's locks on it (https://sqlite.org/howtocorrupt.html, 2.2). */
export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
