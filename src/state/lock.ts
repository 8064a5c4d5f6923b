import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { dirname } from 'node:path'

import { systemCode } from '../errors.ts'
import { isBusy } from './sqlite.ts'

/**
 * An exclusive lock that dies with its process, kill -9 included: an SQLite file held in an exclusive transaction.
 * SQLite takes the operating system's file locks on every platform; a lock file with a time stamp would outlive its owner.
 */
export interface Lock {
  release(): void
}

/** Somebody who looks whether a lock is held holds it for a moment; nobody is to take that for a run. */
const lookMs = 250

/** Takes the lock at `path`, or returns undefined when a living process has it. */
export function tryLock(path: string): Lock | undefined {
  return lock(path, lookMs)
}

function lock(path: string, patienceMs: number): Lock | undefined {
  mkdirSync(dirname(path), { recursive: true })
  // its last owner may remove it, and its folder, between any two steps
  if (!create(path)) return lock(path, patienceMs)
  const inode = inodeAt(path)
  const isThatFile = (): boolean => inode !== undefined && inodeAt(path) === inode
  const db = opened(path, patienceMs)
  if (db instanceof Error) {
    if (isThatFile()) throw db
    return lock(path, patienceMs)
  }
  try {
    // no journal beside it: the transaction never writes
    db.exec('PRAGMA journal_mode=OFF; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (isBusy(error)) return undefined
    // SQLite makes an I/O error of a file that goes while it is opened
    if (isThatFile()) throw error
    return lock(path, patienceMs)
  }
  if (!isThatFile()) {
    // its last owner removed the file after we had opened it: what we hold is a lock on nothing
    db.close()
    return lock(path, patienceMs)
  }
  held.add(db)
  return {
    release() {
      if (!held.delete(db)) return
      // removed while still held; Windows can't remove an open file, where the empty file stays behind
      if (process.platform !== 'win32') rmSync(path, { force: true })
      db.close()
    },
  }
}

/** A database that nobody refers to any more is closed by the garbage collector, and its lock with it. */
const held = new Set<DatabaseSync>()

/** Says whether its folder is there. Never opens a file that is there: closing it would let go of this process's own lock on it (fcntl(2)). */
function create(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    if (systemCode(error) !== 'EEXIST') throw error
    return true
  }
}

function opened(path: string, patienceMs: number): DatabaseSync | Error {
  try {
    return new DatabaseSync(path, { timeout: patienceMs })
  } catch (error) {
    return error as Error
  }
}

function inodeAt(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}

/** Whether a living process holds the lock at `path`. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const mine = lock(path, 0)
  mine?.release()
  return mine === undefined
}
