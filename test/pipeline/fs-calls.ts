import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { onTestFinished } from 'vitest'

export interface FsCalls {
  /** Paths below `folder` that were opened, in order. */
  readonly opened: string[]
  /** Bytes read from them. */
  readBytes: number
  largestReadBytes: number
}

/** Counts what is opened and read below `folder` until the test ends; `beforeRead` is called before each read of it. */
export function watchFs(folder: string, beforeRead?: (path: string, calls: FsCalls) => void): FsCalls {
  const { openSync, readSync, closeSync } = fs
  const paths = new Map<number, string>()
  const calls: FsCalls = { opened: [], readBytes: 0, largestReadBytes: 0 }
  fs.openSync = (path, ...more) => {
    const fd = openSync(path, ...more)
    const name = String(path)
    if (name.startsWith(folder)) {
      calls.opened.push(name)
      paths.set(fd, name)
    }
    return fd
  }
  fs.closeSync = (fd) => {
    paths.delete(fd)
    closeSync(fd)
  }
  fs.readSync = ((fd: number, ...more: [NodeJS.ArrayBufferView]) => {
    const path = paths.get(fd)
    if (path !== undefined) beforeRead?.(path, calls)
    const got = readSync(fd, ...more)
    if (path !== undefined) {
      calls.readBytes += got
      calls.largestReadBytes = Math.max(calls.largestReadBytes, got)
    }
    return got
  }) satisfies typeof fs.readSync
  syncBuiltinESMExports()
  onTestFinished(() => {
    Object.assign(fs, { openSync, readSync, closeSync })
    syncBuiltinESMExports()
  })
  return calls
}
