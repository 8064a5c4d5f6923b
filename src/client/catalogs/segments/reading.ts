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

  /** Reads what is new below `prefix`; `again`: and what was not good when it was read. Tells `seen` of each file of the catalog. */
  async readNew(prefix: Key, again = false, seen: (file: Listed) => void = () => undefined): Promise<void> {
    const { bucket, folder, index } = this.#parts
    let due: Listed[] = []
    const readDue = async (): Promise<void> => {
      await Promise.all(due.map((file) => this.readFile(file)))
      due = []
    }
    for await (const { key, bytes } of bucket.list(prefix)) {
      if (!fileAt(folder, key)) continue
      seen({ key, bytes })
      if (!index.hasRead(key, again)) due.push({ key, bytes })
      if (due.length === atOnce) await readDue()
    }
    await readDue()
  }

  /** Says whether the file was there, and all of it good. */
  async readFile({ key, bytes }: Listed): Promise<boolean> {
    const { bucket, folder, index } = this.#parts
    const file = fileAt(folder, key)
    const faults: Fault[] = []
    const reader = new SegmentReader()
    let got = 0
    const take = (found: Segment | Fault): void => {
      if ('fault' in found) faults.push(found)
      else if (file && 'segment' in file && file.segment !== found.name)
        faults.push({ fault: 'it is called otherwise' })
      else if (!index.apply(found, key)) faults.push({ fault: 'another was read under its name' })
    }
    const found = await bucket.read(key, (chunk) => {
      got += chunk.length
      for (const part of reader.push(chunk)) take(part)
    })
    // one that went has gone into a pack, and one that broke off is read another time
    if (!found || got < bytes) return false
    for (const fault of reader.end()) take(fault)
    if (faults.some(({ newer }) => newer)) throw newerCatalog(bucket.name)
    index.markRead(key, faults.length === 0)
    const [first] = faults
    if (first) this.#tell(key, first)
    return first === undefined
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
