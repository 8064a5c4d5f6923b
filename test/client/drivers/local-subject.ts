import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localDestination, type LocalOptions } from '../../../src/client/drivers/local.ts'
import type { Volume } from '../../../src/state/volume.ts'
import type { Subject } from '../../contract/destination.ts'

export const diskVolume: Volume = {
  type: 'ext4',
  mountPoint: '/',
  stableInodes: true,
  volatile: false,
  local: true,
  maxFileBytes: Number.MAX_SAFE_INTEGER,
}

export interface LocalSubject extends Subject {
  root: string
}

/** A library in a new folder of `parent`, with a folder around it where nothing may appear. */
export function localSubject(options: Partial<LocalOptions> = {}, parent = tmpdir()): LocalSubject {
  const around = mkdtempSync(join(parent, 'lumina-local-'))
  const root = join(around, 'library')
  const temps = join(root, '.lumina', 'tmp', 'run')
  mkdirSync(temps, { recursive: true })
  const open = (): ReturnType<typeof localDestination> =>
    localDestination({ root, volume: diskVolume, holder: 'run', ...options })
  const names = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])
  return {
    root,
    destination: open(),
    reopen: open,
    halves: () => [...names(temps), ...names(join(root, '.lumina', 'reserved'))],
    strays: () => names(around).filter((name) => name !== 'library'),
    keepsModifiedMs: true,
    dispose: () => rmSync(around, { recursive: true, force: true }),
  }
}

/** Where another file system is at hand. */
export const sharedMemory = process.platform === 'linux' && existsSync('/dev/shm') ? '/dev/shm' : undefined
