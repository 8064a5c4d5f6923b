import { createHash } from 'node:crypto'

import type { CatalogEntry, Key, Sha256 } from '../../destination.ts'
import { entryFrom, isKey } from './entry.ts'
import { epochOf } from './names.ts'

/*
 * A segment is a line that heads it, `{"segment":"<name>","version":1,"lines":2,"sha256":"…"}`, and so many lines more: an entry, or
 * `{"forget":"<key>"}`. A pack is nothing but segments, one after the other. What is not exactly so counts for nothing: whoever may
 * write to the bucket may have written it, or only half of it.
 */

const version = 1

/** A name of 4,096 bytes, each escaped as JSON can, and the rest. */
const longestLineBytes = 65_536
/** Beyond, no segment is one of ours. */
const longestSegmentBytes = 4 * 1024 * 1024

export interface Segment {
  name: string
  epoch: number
  entries: CatalogEntry[]
  forgotten: Key[]
  sha256: Sha256
  /** As it stands in a file. */
  text: string
}

/** What reads like no segment; `newer`: it may well be one, of a Lumina to come. */
export interface Fault {
  fault: string
  newer?: boolean
}

interface Header {
  name: string
  epoch: number
  lines: number
  sha256: Sha256
  text: string
}

export function segmentOf(
  name: string,
  { entries = [], forgotten = [] }: { entries?: readonly CatalogEntry[]; forgotten?: readonly Key[] },
): Segment {
  const lines = [
    ...entries.map((entry) => JSON.stringify(entry)),
    ...forgotten.map((key) => JSON.stringify({ forget: key })),
  ]
  const body = bodyOf(lines)
  const sha256 = digestOf(body)
  const text = `${JSON.stringify({ segment: name, version, lines: lines.length, sha256 })}\n${body}`
  return { name, epoch: epochOf(name) as number, entries: [...entries], forgotten: [...forgotten], sha256, text }
}

/** An entry as a line can hold it: a camera may call itself whatever it likes, at whatever length. */
export function fitting(entry: CatalogEntry): CatalogEntry {
  if (Buffer.byteLength(JSON.stringify(entry)) <= longestLineBytes) return entry
  const { key, digest, bytes, kind, sidecar, name } = entry
  return { key, digest, bytes, kind, sidecar, name }
}

/** Entries or keys in portions that segments hold; `record` and `forget` are asked for any number. */
export function* portions<T>(items: readonly T[]): Generator<T[]> {
  // a thousand entries with the longest names would be 64 MB; of the usual ones they are 300 KB
  let portion: T[] = []
  let bytes = 0
  for (const item of items) {
    const own = Buffer.byteLength(JSON.stringify(item)) + 20
    if (portion.length > 0 && (bytes + own > portionBytes || portion.length === portionLines)) {
      yield portion
      portion = []
      bytes = 0
    }
    portion.push(item)
    bytes += own
  }
  if (portion.length > 0) yield portion
}

const portionBytes = 1024 * 1024
const portionLines = 1000

/** Reads segments out of the chunks of a file, whatever else is in it, in the memory of one segment. */
export class SegmentReader {
  #rest: Buffer[] = []
  #restBytes = 0
  #header: Header | undefined
  #lines: string[] = []
  #bytes = 0
  /** Where it stands was told to be none of ours; it looks for the next head. */
  #lost = false

  /** What ends in this chunk. */
  push(chunk: Uint8Array): (Segment | Fault)[] {
    const found: (Segment | Fault)[] = []
    let at = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
      this.#keep(chunk.subarray(at, end))
      this.#take(this.#line(), found)
      at = end + 1
    }
    this.#keep(chunk.subarray(at))
    return found
  }

  /** What is wrong with the end of the file. */
  end(): Fault[] {
    const torn = this.#restBytes > 0 || this.#header !== undefined
    return torn && !this.#lost ? [{ fault: 'it ends in the middle' }] : []
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0) return
    this.#restBytes += part.length
    // the chunk is the destination's own, and gone with the next
    if (this.#restBytes <= longestLineBytes) this.#rest.push(Buffer.from(part))
  }

  /** Undefined when it is too long for one. */
  #line(): string | undefined {
    const line = this.#restBytes <= longestLineBytes ? Buffer.concat(this.#rest).toString() : undefined
    this.#rest = []
    this.#restBytes = 0
    return line
  }

  #take(line: string | undefined, found: (Segment | Fault)[]): void {
    if (line === undefined) return this.#lose('a line is too long', found)
    if (!this.#header) return this.#begin(line, found)
    this.#bytes += line.length
    if (this.#bytes > longestSegmentBytes) return this.#lose('it is too long', found)
    this.#lines.push(line)
    if (this.#lines.length === this.#header.lines) this.#finish(this.#header, found)
  }

  #begin(line: string, found: (Segment | Fault)[]): void {
    const header = headerFrom(line)
    if (!header) return this.#lose('it has no head', found)
    if ('fault' in header) {
      found.push(header)
      this.#lost = true
      return
    }
    this.#lost = false
    this.#lines = []
    this.#bytes = 0
    this.#header = header
    if (header.lines === 0) this.#finish(header, found)
  }

  #finish(header: Header, found: (Segment | Fault)[]): void {
    const lines = this.#lines
    this.#header = undefined
    this.#lines = []
    const body = bodyOf(lines)
    if (digestOf(body) !== header.sha256) return this.#lose('it is not what its head says', found)
    const entries: CatalogEntry[] = []
    const forgotten: Key[] = []
    for (const line of lines) {
      const said = contentFrom(line)
      if (!said) return this.#lose('it says what no catalog says', found)
      if ('forget' in said) forgotten.push(said.forget)
      else entries.push(said)
    }
    const { name, epoch, sha256 } = header
    found.push({ name, epoch, entries, forgotten, sha256, text: `${header.text}\n${body}` })
  }

  /** Told once until the next head is found. */
  #lose(fault: string, found: (Segment | Fault)[]): void {
    if (!this.#lost) found.push({ fault })
    this.#lost = true
    this.#header = undefined
    this.#lines = []
  }
}

const newline = 0x0a
const headStart = '{"segment":"'

function headerFrom(line: string): Header | Fault | undefined {
  if (!line.startsWith(headStart)) return undefined
  const head = parsed(line)
  const { segment, lines, sha256 } = head ?? {}
  const of = head?.['version']
  if (typeof segment !== 'string' || !Number.isSafeInteger(of)) return undefined
  const epoch = epochOf(segment)
  if (epoch === undefined) return undefined
  if ((of as number) > version) return { fault: 'it was written by a newer Lumina', newer: true }
  if (!Number.isSafeInteger(lines) || (lines as number) < 0 || typeof sha256 !== 'string') return undefined
  return { name: segment, epoch, lines: lines as number, sha256, text: line }
}

function contentFrom(line: string): CatalogEntry | { forget: Key } | undefined {
  const said = parsed(line)
  if (!said) return undefined
  const { forget } = said
  if (forget === undefined) return entryFrom(said)
  return isKey(forget) ? { forget } : undefined
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function bodyOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

function digestOf(text: string): Sha256 {
  return createHash('sha256').update(text).digest('hex')
}
