import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

import { LuminaError, systemCode } from '../../../errors.ts'
import { failure } from '../../failure.ts'

/*
 * Mutual exclusion on file systems where neither SQLite's locks nor `flock` can be relied on. What does work there is the exclusive
 * creation of a file: O_EXCL is atomic on NFS since version 3 (open(2)) and on SMB.
 *
 * The lock is a file that its holder writes to again and again; the file server stamps each write with its own clock, which all
 * machines see alike. A lock that was not written to for a lease belongs to a holder that is dead, or is cut off.
 *
 * Its limits: a holder that is stopped (SIGSTOP, a laptop's lid) for longer than a lease between its last look at the lock and its
 * write may write at the same time as the next one. What is written must bear that: see `file.ts`.
 */

/** A holder holds for some system calls at a time; a file server that takes longer than this to answer is as good as gone. */
const defaultLeaseMs = 15_000
/** What a person waits for others before being told. */
const patienceMs = 120_000
const pauseMs = { from: 5, to: 50 }

export interface HeldLock {
  /** The file server's clock, when the lock was last written to. */
  readonly nowMs: number
  /** Keeps the lock. @throws `destination-busy` when it was lost meanwhile. */
  beat(): void
  /** `beat`, when it is time for it. */
  beatIfDue(): void
  release(): void
}

export interface LockOptions {
  path: string
  holder: string
  leaseMs?: number
}

/** Takes the lock at `path`, waiting for its holder. @throws `destination-busy` after two minutes of that. */
export async function lockFile(options: LockOptions): Promise<HeldLock> {
  const { path, leaseMs = defaultLeaseMs } = options
  const nonce = randomBytes(8).toString('hex')
  const content = `${JSON.stringify({ holder: options.holder, nonce })}\n`
  const untilMs = performance.now() + patienceMs
  // most locks are gone in no time
  let lookAgainMs = performance.now() + Math.min(250, leaseMs / 4)
  for (;;) {
    if (create(path, content)) return held(path, content, leaseMs)
    if (performance.now() >= lookAgainMs) {
      breakStale(path, nonce, leaseMs)
      lookAgainMs = performance.now() + leaseMs / 4
    }
    if (performance.now() > untilMs) {
      throw new LuminaError('destination-busy', `Another Lumina holds ${path}.`, { retry: 'transient' })
    }
    await setTimeout(pauseMs.from + Math.random() * (pauseMs.to - pauseMs.from))
  }
}

function held(path: string, content: string, leaseMs: number): HeldLock {
  let beatenMs = performance.now()
  let nowMs = Math.floor(statSync(path).mtimeMs)
  const beat = (): void => {
    if (read(path) !== content) {
      throw new LuminaError('destination-busy', `The lock ${path} was lost to another Lumina.`, { retry: 'transient' })
    }
    write(path, 'r+', content)
    beatenMs = performance.now()
    nowMs = Math.floor(statSync(path).mtimeMs)
  }
  return {
    get nowMs() {
      return nowMs
    },
    beat,
    beatIfDue() {
      if (performance.now() - beatenMs > leaseMs / 4) beat()
    },
    release() {
      if (read(path) === content) rmSync(path, { force: true })
    },
  }
}

/** Removes a lock whose holder is dead. Only one process at a time may judge, or the second would remove what the first then made. */
function breakStale(path: string, nonce: string, leaseMs: number): void {
  const nowMs = serverNowMs(`${path}.${nonce}`)
  const isStale = (file: string): boolean => {
    const writtenMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs
    return writtenMs !== undefined && nowMs - writtenMs > leaseMs
  }
  if (!isStale(path)) return
  const judge = `${path}.break`
  if (!create(judge, nonce)) {
    if (isStale(judge)) rmSync(judge, { force: true })
    return
  }
  try {
    if (isStale(path)) rmSync(path, { force: true })
  } finally {
    rmSync(judge, { force: true })
  }
}

/** What the file server's clock says: the time that it gives to a file written now. */
function serverNowMs(path: string): number {
  try {
    write(path, 'w', '.')
    return statSync(path).mtimeMs
  } finally {
    rmSync(path, { force: true })
  }
}

function create(path: string, content: string): boolean {
  try {
    write(path, 'wx', content)
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') return false
    // Windows, while a removed file is still open somewhere
    if (process.platform === 'win32' && (code === 'EPERM' || code === 'EBUSY')) return false
    throw failure(error, path)
  }
}

function write(path: string, flags: 'r+' | 'w' | 'wx', content: string): void {
  const fd = openSync(path, flags)
  try {
    writeSync(fd, content, 0)
  } finally {
    // network file systems send at the latest now what was written, so that the server puts its time on it
    closeSync(fd)
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
