import { LuminaError } from '../../../errors.ts'
import { tryLock } from '../../../state/lock.ts'
import type { Key } from '../../destination.ts'
import { type Fault, type Segment, SegmentReader } from './format.ts'
import { fileAt, packPath, type Random } from './names.ts'
import type { Listed, Reading, ReadingParts } from './reading.ts'

interface PackingParts extends ReadingParts {
  reading: Reading
  nowMs: () => number
  random: Random
  /** One process of this machine packs at a time. Those of others may at the same time: that costs work, and loses nothing. */
  lockPath: string
}

/** A request each for every machine that reads the catalog for the first time. */
const manySmall = 64
/** As large as this, a file is worth its request. */
const smallBytes = 1024 * 1024
const packBytes = 8 * 1024 * 1024
/** The rest is for the next run: nobody waits minutes for what saves seconds. */
const mostAtOnce = 1024
const readsAtOnce = 8
/** The year 2255. */
const latestMs = 9e12

/** What a listing showed that packing has to know. */
export class Census {
  readonly small: Listed[] = []
  readonly packs = new Set<Key>()
  files = 0
  readonly #folder: Key

  constructor(folder: Key) {
    this.#folder = folder
  }

  count(file: Listed): void {
    this.files += 1
    const what = fileAt(this.#folder, file.key)
    if (what && 'packedMs' in what) this.packs.add(file.key)
    if (file.bytes < smallBytes && this.small.length < mostAtOnce) this.small.push(file)
  }
}

/**
 * Makes one file of many small ones, and removes those. A file goes only when all that it holds was read in a later one that is
 * listed: so the last to hold a segment never goes, whoever else packs, and wherever anybody is killed.
 */
export class Packing {
  readonly #parts: PackingParts

  constructor(parts: PackingParts) {
    this.#parts = parts
  }

  async pack(census: Census): Promise<void> {
    const { bucket, index, lockPath, notice } = this.#parts
    const due = census.small.filter((file) => this.#isDue(file.key))
    const over = census.small.filter(({ key }) => index.isSuperseded(key))
    if (!bucket.removable || (due.length <= manySmall && over.length === 0)) return
    const lock = tryLock(lockPath)
    if (!lock) return
    try {
      if (due.length > manySmall) await this.#merge(due, census.packs)
      await this.#removeAll(census)
    } catch (error) {
      if (!(error instanceof LuminaError) || error.code === 'interrupted') throw error
      // it works as it is, only slower
      notice('catalog-not-packed', `The catalog of ${bucket.name} could not be packed: ${error.message}`)
    } finally {
      lock.release()
    }
  }

  #isDue(path: Key): boolean {
    const { index, folder } = this.#parts
    const what = fileAt(folder, path)
    // what claims to be later than anything has no place for its successor
    if (!what || ('packedMs' in what && what.packedMs > latestMs)) return false
    return index.hasRead(path, true) && !index.isSuperseded(path)
  }

  async #merge(files: readonly Listed[], packs: Set<Key>): Promise<void> {
    const names = new Set<string>()
    let parts: string[] = []
    let bytes = 0
    const write = async (): Promise<void> => {
      if (parts.length > 0) packs.add(await this.#write(parts.join(''), files))
      parts = []
      bytes = 0
    }
    for (let at = 0; at < files.length; at += readsAtOnce) {
      const read = await Promise.all(files.slice(at, at + readsAtOnce).map((file) => this.#segmentsIn(file)))
      for (const segment of read.flatMap((segments) => segments ?? [])) {
        if (names.has(segment.name)) continue
        names.add(segment.name)
        parts.push(segment.text)
        bytes += Buffer.byteLength(segment.text)
        if (bytes >= packBytes) await write()
      }
    }
    await write()
  }

  /** Later than what it is made of; and read back, by which the index knows where all of it is now. */
  async #write(text: string, files: readonly Listed[]): Promise<Key> {
    const { bucket, folder, nowMs, random, reading } = this.#parts
    let timeMs = nowMs()
    for (const { key } of files) {
      const what = fileAt(folder, key)
      if (what && 'packedMs' in what) timeMs = Math.max(timeMs, what.packedMs + 1)
    }
    const path = packPath(folder, timeMs, random)
    await bucket.add(path, text)
    await reading.readFile({ key: path, bytes: Buffer.byteLength(text) })
    return path
  }

  async #removeAll({ small, packs }: Census): Promise<void> {
    for (const file of small) if (await this.#isLater(file, packs)) await this.#parts.bucket.remove(file.key)
  }

  /** Whether all that a file holds is in later packs that are there. */
  async #isLater(file: Listed, packs: ReadonlySet<Key>): Promise<boolean> {
    const { index } = this.#parts
    if (!index.isSuperseded(file.key)) return false
    const segments = await this.#segmentsIn(file)
    if (!segments) return false
    return segments.every(({ name }) => packs.has(index.segment(name)?.file ?? ''))
  }

  /** All that a file holds; undefined unless it still is what was read before. */
  async #segmentsIn({ key, bytes }: Listed): Promise<Segment[] | undefined> {
    const { bucket, index } = this.#parts
    const reader = new SegmentReader()
    const found: (Segment | Fault)[] = []
    let got = 0
    const there = await bucket.read(key, (chunk) => {
      got += chunk.length
      found.push(...reader.push(chunk))
    })
    if (!there || got !== bytes) return undefined
    const segments: Segment[] = []
    for (const segment of [...found, ...reader.end()]) {
      if ('fault' in segment || index.segment(segment.name)?.sha256 !== segment.sha256) return undefined
      segments.push(segment)
    }
    return segments
  }
}
