import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder on one kind of file system: `data/` is kept and used again, `runs/` is gone when the bench ends. */
export interface Place {
  readonly root: string
  readonly fileSystem: string
  readonly inMemory: boolean
}

export interface Need {
  readonly bytes: number
  readonly files: number
}

const fileSystemNames = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x9123683e, 'btrfs'],
  [0x58465342, 'xfs'],
  [0x2fc12fc1, 'zfs'],
  [0x794c7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0x1a, 'apfs'],
])

export function diskPlace(): Place {
  return placeAt(process.env['LUMINA_BENCH_DIR'] ?? join(tmpdir(), 'lumina-bench'))
}

/** The place in memory, or why there is none. */
export function tmpfsPlace(): Place | string {
  const root = process.env['LUMINA_BENCH_TMPFS'] ?? '/dev/shm/lumina-bench'
  if (root.startsWith('/dev/shm/') && !existsSync('/dev/shm')) return 'no /dev/shm here; set LUMINA_BENCH_TMPFS'
  const place = placeAt(root)
  return place.inMemory ? place : `LUMINA_BENCH_TMPFS is on ${place.fileSystem}, not in memory`
}

function placeAt(root: string): Place {
  mkdirSync(root, { recursive: true })
  const type = statfsSync(root).type
  const fileSystem = fileSystemNames.get(type) ?? `file system 0x${type.toString(16)}`
  return { root, fileSystem, inMemory: fileSystem === 'tmpfs' }
}

/** Why this much doesn't fit, or undefined where it does, with a little left for everybody else. */
export function lacksRoom(place: Place, need: Need): string | undefined {
  const { bavail, bsize, ffree, files } = statfsSync(place.root)
  const roundedBytes = need.bytes + need.files * 4096
  const freeBytes = place.inMemory ? Math.min(bavail * bsize, freemem()) : bavail * bsize
  if (freeBytes < roundedBytes * 1.1 + 1e9) {
    return `${place.fileSystem} has ${gigabytes(freeBytes)} free, ${gigabytes(roundedBytes * 1.1 + 1e9)} are needed`
  }
  if (files > 0 && ffree < need.files * 1.1) return `${place.fileSystem} has ${ffree} inodes free`
  return undefined
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

const ownRuns = (place: Place): string => join(place.root, 'runs', String(process.pid))
let lastRoom = 0

/** An empty folder for one run; the caller removes it, and the end of the bench removes what is left. */
export function freshRoom(place: Place): string {
  const room = join(ownRuns(place), String(++lastRoom))
  mkdirSync(room, { recursive: true })
  return room
}

export function removeOwnRuns(place: Place): void {
  // A process that was just killed may still be closing a file.
  rmSync(ownRuns(place), { recursive: true, force: true, maxRetries: 3 })
}

/** Removes what benches left that were killed. */
export function sweepDeadRuns(place: Place): void {
  const runs = join(place.root, 'runs')
  if (!existsSync(runs)) return
  for (const pid of readdirSync(runs)) {
    if (!isAlive(Number(pid))) rmSync(join(runs, pid), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
