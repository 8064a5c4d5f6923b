import { lstatSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { isTempName } from '../../client/open.ts'
import { isLocked, tryLock } from '../../state/lock.ts'

/** What one run left half in a library: transfers that can go on, and what no longer can. */
export interface Leftover {
  folder: string
  files: string[]
  bytes: number
  /** When it was last written. */
  touchedMs: number
  /** Its run is alive. */
  held: boolean
}

/** Each run has a folder of its own under `.lumina/tmp`, and holds the lock in it for as long as it lives. */
export function leftovers(library: string): Leftover[] {
  const temps = join(library, '.lumina', 'tmp')
  // a library may come from anywhere: behind a link lies what is somebody's own
  if (![join(library, '.lumina'), temps].every(isRealFolder)) return []
  return readdirSync(temps, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => leftover(join(temps, name)))
    .filter(({ held, files }) => held || files.length > 0)
}

function isRealFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function leftover(folder: string): Leftover {
  const files = readdirSync(folder).filter(isTempName)
  const stats = files.flatMap((name) => statSync(join(folder, name), { throwIfNoEntry: false }) ?? [])
  return {
    folder,
    files,
    bytes: stats.reduce((sum, { size }) => sum + size, 0),
    touchedMs: Math.max(0, ...stats.map(({ mtimeMs }) => mtimeMs)),
    held: isLocked(join(folder, 'lock')),
  }
}

/** Removes what nobody holds, under the lock of the run that left it, so that none begins meanwhile. Returns what is gone. */
export function sweep(left: readonly Leftover[]): Leftover[] {
  return left.filter(({ folder, files }) => {
    const lock = tryLock(join(folder, 'lock'))
    if (lock === undefined) return false
    for (const name of files) rmSync(join(folder, name), { force: true })
    lock.release()
    if (readdirSync(folder).length === 0) rmdirSync(folder)
    return true
  })
}
