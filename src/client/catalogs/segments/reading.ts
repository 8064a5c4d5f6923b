import { LuminaError } from '../../../errors.ts'
import type { Key, StoredObject } from '../../destination.ts'
import type { Bucket } from './bucket.ts'
import { type Fault, type Segment, SegmentReader } from './format.ts'
import type { SegmentIndex } from './index-file.ts'
import { fileAt } from './names.ts'

export type Notice = (code: string, message: string) => void

/** A file of the catalog, as it is listed. */
export type Listed = Pick<StoredObject, 'key' | 'bytes'>

/** A network is waited for, mostly; more at once would crowd out the transfers. */
const atOnce = 8

export interface ReadingParts {
  bucket: Bucket
  folder: Key
  index: SegmentIndex
  notice: Notice
}

/** Reads what the bucket has into the index: each file once. */
export class Reading {
  readonly #parts: ReadingParts

  constructor(parts: ReadingParts) {
    this.#parts = parts
  }

  /**
   * Reads what is new below `prefix`; `again`: and what was not good when it was read. Tells `seen` of each file of the catalog.
   * False when something went before it was read: what it held has another place now.
   */
  async readNew(prefix: Key, again = false, seen: (file: Listed) => void = () => undefined): Promise<boolean> {
    const { bucket, folder, index } = this.#parts
    let due: Listed[] = []
    let all = true
    const readDue = async (): Promise<void> => {
      const read = await Promise.all(due.map((file) => this.readFile(file)))
      all &&= read.every(Boolean)
      due = []
    }
    for await (const { key, bytes } of bucket.list(prefix)) {
      if (!fileAt(folder, key)) continue
      seen({ key, bytes })
      if (!index.hasRead(key, again)) due.push({ key, bytes })
      if (due.length === atOnce) await readDue()
    }
    await readDue()
    return all
  }

  /** Reads a file, whatever is in it. False when it went. @throws `state-newer` */
  async readFile({ key, bytes }: Listed): Promise<boolean> {
    const { bucket, folder, index } = this.#parts
    const file = fileAt(folder, key)
    const faults: Fault[] = []
    const reader = new SegmentReader()
    let got = 0
    let segments = 0
    const take = (found: Segment | Fault): void => {
      if ('fault' in found) return void faults.push(found)
      segments += 1
      if (file && 'segment' in file && file.segment !== found.name) faults.push({ fault: 'it is called otherwise' })
      else if (!index.apply(found, key)) faults.push({ fault: 'another was read under its name' })
    }
    const found = await bucket.read(key, (chunk) => {
      got += chunk.length
      for (const part of reader.push(chunk)) take(part)
    })
    // one that went has gone into a pack, and one that broke off is read another time
    if (!found || got < bytes) return found
    for (const fault of reader.end()) take(fault)
    if (segments === 0 && faults.length === 0) faults.push({ fault: 'nothing is in it' })
    if (faults.some(({ newer }) => newer)) throw newerCatalog(bucket.name)
    index.markRead(key, faults.length === 0)
    const [first] = faults
    if (first) this.#tell(key, first)
    return true
  }

  #tell(key: Key, { fault }: Fault): void {
    const message = `A part of the catalog is not what Lumina has written, and counts for nothing: ${key} (${fault}).`
    this.#parts.notice('catalog-segment-damaged', message)
  }
}

function newerCatalog(name: string): LuminaError {
  return new LuminaError('state-newer', `The catalog of ${name} was written by a newer Lumina.`, {
    hint: 'Update Lumina.',
  })
}
