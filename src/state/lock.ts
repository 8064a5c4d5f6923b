import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { dirname } from 'node:path'

import { isBusy } from './sqlite.ts'

/**
 * An exclusive lock that dies with its process, kill -9 included: an SQLite file held in an exclusive transaction.
 * SQLite takes the operating system's file locks on every platform; a lock file with a time stamp would outlive its owner.
 */
export interface Lock {
  release(): void
}

/** Takes the lock at `path`, or returns undefined when a living process has it. */
export function tryLock(path: string): Lock | undefined {
  mkdirSync(dirname(path), { recursive: true })
  closeSync(openSync(path, 'a', 0o600))
  const inode = inodeAt(path)
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    // no journal beside it: the transaction never writes
    db.exec('PRAGMA journal_mode=OFF; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (isBusy(error)) return undefined
    throw error
  }
  if (inodeAt(path) !== inode) {
    // its last owner removed the file after we had opened it: what we hold is a lock on nothing
    db.close()
    return tryLock(path)
  }
  return {
    release() {
      // removed while still held; Windows can't remove an open file, where the empty file stays behind
      if (process.platform !== 'win32') rmSync(path, { force: true })
      db.close()
    },
  }
}

function inodeAt(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}

/** Whether a living process holds the lock at `path`. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const lock = tryLock(path)
  lock?.release()
  return lock === undefined
}
