import { createHash } from 'node:crypto'

import type { CallContext, Catalog, CatalogEntry, Destination, StoredObject } from '../client/destination.ts'
import { endsRun, LuminaError } from '../errors.ts'
import { isPhoto } from '../hash/kinds.ts'
import { sniff } from '../hash/sniff.ts'
import type { Report } from './batch.ts'
import { Outcomes, unknownKind } from './outcomes.ts'

/** What is Lumina's own in a bucket. */
const ownFolder = '.lumina/'
const headBytes = 64 * 1024
/** Objects that are read and hashed before their names go to the catalog in one call. */
const recordedAtOnce = 100

export interface IndexObjects {
  destination: Destination
  catalog: Catalog
  prefix: string
  allFiles: boolean
  detail: boolean
  call: CallContext
  /** Told after each batch, so that nothing grows with the bucket. */
  report: (report: Report) => void
}

/** Takes what lies at a service, and is in no catalog yet, into its catalog: each object is read once, in the order of keys. */
export async function indexObjects(asked: IndexObjects): Promise<void> {
  const { destination, catalog, prefix, call } = asked
  const listed = destination.list?.(prefix === '' ? '' : `${prefix}/`, call)
  if (!listed || !destination.get)
    throw new LuminaError('destination-refused', `${destination.name} lets nothing be read, so it can't be indexed.`)
  let batch: StoredObject[] = []
  const known = new KnownKeys(catalog.entries())
  for await (const object of listed) {
    call.checkpoint()
    if (object.key.startsWith(ownFolder) || (await known.has(object.key))) continue
    batch.push(object)
    if (batch.length < recordedAtOnce) continue
    await indexBatch(batch, asked)
    batch = []
  }
  if (batch.length > 0) await indexBatch(batch, asked)
}

/** Walks two lists in the order of keys side by side. A service that lists in another order only costs a second look. */
class KnownKeys {
  readonly #entries: AsyncIterator<CatalogEntry>
  #next: string | undefined = ''

  constructor(entries: AsyncIterable<CatalogEntry>) {
    this.#entries = entries[Symbol.asyncIterator]()
  }

  async has(key: string): Promise<boolean> {
    while (this.#next !== undefined && this.#next < key) {
      const { done, value } = await this.#entries.next()
      this.#next = done ? undefined : value.key
    }
    return this.#next === key
  }
}

async function indexBatch(objects: readonly StoredObject[], asked: IndexObjects): Promise<void> {
  const outcomes = new Outcomes({ task: 'index', detail: asked.detail })
  try {
    for (const object of objects) await indexOne(object, outcomes, asked)
  } finally {
    asked.report(outcomes)
  }
}

async function indexOne(object: StoredObject, outcomes: Outcomes, asked: IndexObjects): Promise<void> {
  const { catalog, allFiles } = asked
  const { key } = object
  const name = key.slice(key.lastIndexOf('/') + 1)
  const found = { path: key, name, bytes: object.bytes, kind: unknownKind }
  try {
    const { digest, kind, bytes } = await read(object, asked)
    found.kind = kind
    found.bytes = bytes
    if (!allFiles && !isPhoto(kind)) return outcomes.skipped(found, 'not-a-photo')
    const [answer] = await catalog.claim([{ key, digest, sidecar: false }])
    if (answer?.answer === 'known') return outcomes.skipped(found, 'already-there', answer.key)
    if (answer?.answer !== 'granted')
      throw new LuminaError('key-taken', `Another run is storing something as ${key}, or its content.`)
    await catalog.record([{ key, digest, bytes, kind, name, sidecar: false }])
    outcomes.indexed(found, key, digest)
  } catch (error) {
    if (endsRun(error)) throw error
    outcomes.failed(found, error)
  }
}

async function read(
  { key }: StoredObject,
  { destination, call }: IndexObjects,
): Promise<{ digest: string; kind: string; bytes: number }> {
  const sha256 = createHash('sha256')
  const head = Buffer.alloc(headBytes)
  let bytes = 0
  for await (const chunk of destination.get?.(key, 0, call) ?? []) {
    call.checkpoint()
    if (bytes < headBytes) head.set(chunk.subarray(0, headBytes - bytes), bytes)
    bytes += chunk.length
    sha256.update(chunk)
  }
  const kind = sniff(head.subarray(0, Math.min(bytes, headBytes)), bytes) ?? unknownKind
  return { digest: sha256.digest('hex'), kind, bytes }
}
