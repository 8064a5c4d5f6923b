import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

import { LuminaError, systemCode } from '../../../errors.ts'
import { failure } from '../../failure.ts'
import type { Change } from '../rows.ts'

/*
 * One change a line: `{"crc":"89abcdef","data":{"change":"record",...}}`. Lines are only ever added, by whoever holds the lock. A line
 * that was torn by a crash fails its checksum and counts for nothing; the next writer ends it and starts a line of its own, so that
 * what a machine has read once never changes under it.
 */

/** Begins a log; tells those who have read another one under its name that this is not it. */
interface Begin {
  change: 'begin'
  version: number
  log: string
  epoch: number
}
export type Line = Change | Begin

export const version = 1
const prefix = '{"crc":"'
const middle = '","data":'
const dataAt = prefix.length + 8 + middle.length
const newline = 0x0a
const readBytes = 1024 * 1024
/** A thousand entries with the longest keys; beyond, it is no line of ours. */
const longestLineBytes = 16 * 1024 * 1024

export function encode(line: Line): string {
  const data = JSON.stringify(line)
  return `${prefix}${checksum(data)}${middle}${data}}\n`
}

/** What a line says; undefined when it is damaged. @throws `state-newer` */
export function decode(line: string): Line | undefined {
  const data = line.slice(dataAt, -1)
  if (line !== `${prefix}${checksum(data)}${middle}${data}}`) return undefined
  const change = JSON.parse(data) as Line
  if (!known.has(change.change) || (change.change === 'begin' && change.version > version)) {
    throw new LuminaError('state-newer', 'The catalog of the library was written by a newer Lumina.', {
      hint: 'Update Lumina.',
    })
  }
  return change
}

const known: ReadonlySet<string> = new Set<Line['change']>([
  'begin',
  'grant',
  'renew',
  'release',
  'free',
  'record',
  'forget',
  'epoch',
])

function checksum(data: string): string {
  return crc32(data).toString(16).padStart(8, '0')
}

/** Adds lines at the end, which has to be that of a line; `durable`: they survive a power cut when it returns. Returns where the log then ends. */
export function append(path: string, text: string, durable: boolean): number {
  return opened(path, constants.O_RDWR | constants.O_CREAT, (fd) => {
    const end = write(fd, text)
    if (durable) fsyncSync(fd)
    return end
  })
}

/** Ends a line that a crash has left without its end. Whatever it says, it says it from now on. */
export function endTornLine(path: string): void {
  const torn = openedIfThere(path, (fd) => {
    const { size } = fstatSync(fd)
    return size > 0 && readAt(fd, size - 1, 1)[0] !== newline
  })
  if (torn) append(path, '\n', false)
}

function write(fd: number, text: string): number {
  const { size } = fstatSync(fd)
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length;) {
    written += writeSync(fd, bytes, written, bytes.length - written, size + written)
  }
  return size + bytes.length
}

/** A stretch of whole lines. */
export interface Stretch {
  lines: string[]
  /** Where each of them ends, its newline included. */
  ends: number[]
  /** There is no more than this in the log, but for a line that has no end yet. */
  last: boolean
  /** What stands before them, by which the place is known again; less where the log is shorter. */
  mark: string
}

/** By so many bytes a place in a log is known again: they hold digests, random numbers and a checksum. */
const markBytes = 128

/** Reads whole lines from `offset` on: about a MiB of them, or one that is longer. */
export function readLines(path: string, offset: number): Stretch {
  const nothing = { lines: [], ends: [], last: true, mark: '' }
  return openedIfThere(path, (fd) => ({ ...stretch(fd, offset), mark: markAt(fd, offset) })) ?? nothing
}

export function mark(path: string, offset: number): string {
  return openedIfThere(path, (fd) => markAt(fd, offset)) ?? ''
}

function markAt(fd: number, offset: number): string {
  const length = Math.min(offset, markBytes)
  return readAt(fd, offset - length, length).toString('hex')
}

function stretch(fd: number, offset: number): Omit<Stretch, 'mark'> {
  for (let wanted = readBytes; ; wanted *= 4) {
    const bytes = readAt(fd, offset, wanted)
    const last = bytes.length < wanted
    const end = bytes.lastIndexOf(newline) + 1
    if (end > 0) return { ...split(bytes.subarray(0, end), offset), last }
    if (last) return { lines: [], ends: [], last }
    // so long a line is nobody's: what follows is no better until one ends, and this much of it may be passed over
    if (wanted > longestLineBytes) return { lines: [''], ends: [offset + bytes.length], last: false }
  }
}

function split(bytes: Buffer, offset: number): Pick<Stretch, 'lines' | 'ends'> {
  const lines: string[] = []
  const ends: number[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(newline, at)
    lines.push(bytes.toString('utf8', at, end))
    ends.push(offset + end + 1)
    at = end + 1
  }
  return { lines, ends }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const { size } = fstatSync(fd)
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)))
  let at = 0
  while (at < buffer.length) {
    const got = readSync(fd, buffer, at, buffer.length - at, offset + at)
    if (got === 0) break
    at += got
  }
  return buffer.subarray(0, at)
}

function openedIfThere<T>(path: string, work: (fd: number) => T): T | undefined {
  try {
    return opened(path, constants.O_RDONLY, work)
  } catch (error) {
    if (error instanceof LuminaError && systemCode(error.cause) === 'ENOENT') return undefined
    throw error
  }
}

/** Opened anew each time: network file systems promise to show what others have written to whoever opens after they closed. */
function opened<T>(path: string, flags: number, work: (fd: number) => T): T {
  try {
    const fd = openSync(path, flags, 0o666)
    try {
      return work(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw failure(error, path)
  }
}
