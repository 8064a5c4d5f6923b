import { randomBytes } from 'node:crypto'

import { LuminaError } from '../../errors.ts'
import type { CallContext, Catalog, CatalogEntry, Destination, Key } from '../destination.ts'
import { type CatalogRows, type Claimant, leaseMs } from './rows.ts'
import { bucketOf, type Bucket } from './segments/bucket.ts'
import { isKey } from './segments/entry.ts'
import { fitting, portions, type Segment, segmentOf } from './segments/format.ts'
import { defaultFolder } from './segments/identity.ts'
import { indexFailure, isIndexDamage, SegmentIndex } from './segments/index-file.ts'
import { foldersSince, loosePath, newSegment, type Random } from './segments/names.ts'
import { Census, Packing } from './segments/packing.ts'
import { type Notice, Reading } from './segments/reading.ts'

export { segmentsIdentity, type SegmentsIdentity, type SegmentsPlace } from './segments/identity.ts'

export interface SegmentsCatalogOptions extends Claimant {
  /** Where the segments lie: the catalog's own, closed with it. Without `list` and `get`, all that is known is what this machine has stored. */
  destination: Destination
  folder?: Key
  /** What this catalog is, as `segmentsIdentity` has it. */
  id: string
  /** This machine's index of the segments: an SQLite file on a local disk, shared by its lanes and processes. */
  indexPath: string
  /** What the calls to the destination are made with. */
  call?: CallContext
  nowMs?: () => number
  random?: Random
  notice?: Notice
}

export interface SegmentsCatalog extends Catalog {
  /** Reads all that others have recorded until now. */
  refresh(): Promise<void>
  /** Begins a run: frees what earlier ones of this holder, now certainly dead, had claimed; reads all; packs what is many small files. */
  releaseOwn(): Promise<void>
}

/** How long a machine may not see what another has recorded meanwhile; both may then send one content. */
const listEveryMs = 30_000
/** For a segment of which nobody can tell whether it was stored. */
const mostTries = 3

/**
 * A catalog for destinations that have nothing but objects: each `record` adds a segment to the bucket, and each machine reads what
 * is new to it into an index of its own. Claims are in that index alone: lanes and processes of one machine store each content once,
 * while two machines at the same time may both send it. Names must not be left to such claims: see `Naming.digests`.
 */
export function segmentsCatalog(options: SegmentsCatalogOptions): SegmentsCatalog {
  return new Segments(options).catalog()
}

class Segments {
  readonly #options: SegmentsCatalogOptions
  readonly #folder: Key
  readonly #bucket: Bucket
  readonly #index: SegmentIndex
  readonly #reading: Reading
  readonly #packing: Packing
  readonly #nowMs: () => number
  readonly #random: Random
  readonly #notice: Notice

  constructor(options: SegmentsCatalogOptions) {
    this.#options = options
    this.#folder = options.folder ?? defaultFolder
    this.#nowMs = options.nowMs ?? Date.now
    this.#random = options.random ?? (() => randomBytes(8).toString('hex'))
    this.#notice = options.notice ?? (() => undefined)
    this.#bucket = bucketOf(options.destination, options.call)
    this.#index = new SegmentIndex(options.indexPath)
    const parts = { bucket: this.#bucket, folder: this.#folder, index: this.#index, notice: this.#notice }
    this.#reading = new Reading(parts)
    this.#packing = new Packing({
      ...parts,
      reading: this.#reading,
      nowMs: this.#nowMs,
      random: this.#random,
      lockPath: `${options.indexPath}.packing`,
    })
  }

  catalog(): SegmentsCatalog {
    const { id, holder } = this.#options
    const index = this.#index
    return {
      identity: () => this.#fresh((rows) => ({ id, epoch: rows.epoch() })),
      known: (digests) => this.#fresh((rows) => rows.known(digests)),
      located: (digests) => this.#fresh((rows) => rows.located(digests)),
      resembling: (probes) => this.#fresh((rows) => probes.map((probe) => rows.resembling(probe))),
      claim: (wants) => {
        const nowMs = this.#nowMs()
        return this.#fresh((rows) =>
          index.transaction(() => wants.map((want) => rows.claim(want, this.#options, nowMs, () => undefined))),
        )
      },
      renew: () =>
        this.#healed(() => this.#index.rows.apply({ change: 'renew', holder, untilMs: this.#nowMs() + leaseMs })),
      release: (claims) =>
        this.#healed(() => index.transaction(() => index.rows.apply({ change: 'release', holder, claims }))),
      record: (entries) => this.#record(entries),
      forget: async (keys) => {
        for (const forgotten of portions(keys.filter(isKey))) {
          await this.#add(forgotten, (epoch) => segmentOf(this.#name(epoch + 1), { forgotten }))
        }
      },
      entries: () => this.#entries(),
      refresh: () => this.#healed(async () => void (await this.#readAll())),
      releaseOwn: () =>
        this.#healed(async () => {
          index.rows.apply({ change: 'free', holder })
          await this.#packing.pack(await this.#readAll())
        }),
      close: async () => {
        index.close()
        await this.#options.destination.close?.()
      },
    }
  }

  /** Asks the index, once it has what others have recorded. */
  #fresh<T>(ask: (rows: CatalogRows) => T): Promise<T> {
    return this.#healed(async () => {
      await this.#catchUp()
      return ask(this.#index.rows)
    })
  }

  async #catchUp(): Promise<void> {
    const nowMs = this.#nowMs()
    const listedMs = this.#index.listedMs()
    if (listedMs === undefined) return void (await this.#readAll())
    // a clock that was put back tells nothing
    if (nowMs >= listedMs && nowMs - listedMs < listEveryMs) return
    const folders = nowMs < listedMs ? undefined : foldersSince(this.#folder, listedMs, nowMs)
    if (!folders) return void (await this.#readAll())
    // the other lanes of this machine need not look as well
    this.#index.setListed(nowMs)
    for (const folder of folders) {
      if (!(await this.#reading.readNew(folder))) return void (await this.#readAll())
    }
  }

  /** Reads all that is there; says what that was. */
  async #readAll(): Promise<Census> {
    const nowMs = this.#nowMs()
    let census = new Census(this.#folder)
    if (!this.#bucket.readable) return census
    // what went meanwhile lies in a pack that was not listed yet
    for (let tries = 0; tries < 3; tries++) {
      census = new Census(this.#folder)
      if (await this.#reading.readNew(`${this.#folder}/`, true, (file) => census.count(file))) break
    }
    if (census.files === 0 && this.#index.hasReadAny()) this.#tellUnreadable()
    this.#index.setListed(nowMs)
    return census
  }

  /** Many services show nothing at all to those who may not look. */
  #tellUnreadable(): void {
    const message = `The catalog of ${this.#bucket.name} can't be read any more: what this machine has read of it before counts on.`
    this.#notice('catalog-unreadable', message)
  }

  async #record(entries: readonly CatalogEntry[]): Promise<void> {
    if (entries.length === 0) return
    const untold = await this.#healed(() => this.#index.untold(entries))
    for (const part of portions(untold.map(fitting))) {
      const keys = part.map(({ key }) => key)
      await this.#add(keys, (epoch) => segmentOf(this.#name(epoch), { entries: part }))
    }
    const change = { change: 'record', holder: this.#options.holder, entries } as const
    if (untold.length < entries.length) {
      await this.#healed(() => this.#index.transaction(() => this.#index.rows.apply(change)))
    }
  }

  /** Stores a segment and then applies it: whoever has it in the index can rely on the bucket. */
  async #add(keys: readonly Key[], make: (epoch: number) => Segment): Promise<void> {
    for (let tries = 1; ; tries++) {
      const segment = make(await this.#healed(() => this.#index.epochFor(keys)))
      const path = loosePath(this.#folder, segment.name)
      try {
        await this.#bucket.add(path, segment.text)
      } catch (error) {
        // under another name, since that one may be stored or not; twice the same does no harm
        if (error instanceof LuminaError && error.code === 'unconfirmed' && tries < mostTries) continue
        throw error
      }
      return this.#healed(() => {
        this.#index.apply(segment, path, this.#options.holder)
        this.#index.markRead(path, true)
      })
    }
  }

  #name(epoch: number): string {
    return newSegment(epoch, this.#nowMs(), this.#random)
  }

  async *#entries(): AsyncGenerator<CatalogEntry> {
    let page = await this.#fresh((rows) => rows.page(''))
    while (page.length > 0) {
      yield* page
      const after = page.at(-1)?.key ?? ''
      page = await this.#healed(() => this.#index.rows.page(after))
    }
  }

  /** A damaged index costs the time to read the segments again, and what is claimed in it. */
  async #healed<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      this.#index.follow()
      return await work()
    } catch (error) {
      if (!isIndexDamage(error)) throw indexFailure(this.#options.indexPath, error)
      this.#index.remake()
      await this.#readAll()
      return work()
    }
  }
}
