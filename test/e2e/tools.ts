import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'

import { onTestFinished } from 'vitest'

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

export const isWindows = process.platform === 'win32'
export const isRoot = process.getuid?.() === 0

/** Tampers with system calls, where it may trace at all: a container may forbid it. */
export const hasStrace = process.platform === 'linux' && succeeds('strace', '-qq', '-o', '/dev/null', 'true')

export const hasSha256sum = succeeds('sha256sum', '--version')

/** Folders on what is memory and on what is a disk, as far as this machine has both. */
export const grounds: [name: string, folder: string][] = [
  ...(existsSync('/dev/shm') ? [['memory', '/dev/shm'] satisfies [string, string]] : []),
  ['disk', existsSync('/var/tmp') ? '/var/tmp' : tmpdir()],
]

/** Mounts a new file system of memory at `folder` until the test ends; false where this user or machine may not. */
export function mountMemory(folder: string, size: string): boolean {
  mkdirSync(folder, { recursive: true })
  if (!isRoot || process.platform !== 'linux') return false
  if (!succeeds('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'lumina-e2e', folder)) return false
  onTestFinished(() => void succeeds('umount', '-l', folder))
  return true
}

export function remount(folder: string, options: string): boolean {
  return succeeds('mount', '-o', `remount,${options}`, folder)
}

/** Tells why a test could not be done here; a test that cannot be done is never a silent pass. */
export const needs = {
  strace: 'needs strace, and the right to trace',
  mount: 'needs the right to mount (root on Linux)',
}
