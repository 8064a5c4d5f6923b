import { lstatSync, statSync } from 'node:fs'

import type { Catalog, Claim, ClaimAnswer, Key, Sha256 } from '../client/destination.ts'
import { endsRun, LuminaError, reportOf, systemCode, type ErrorReport } from '../errors.ts'
import { classOf, isPhoto } from '../hash/kinds.ts'
import { osPath } from '../os-path.ts'
import type { Remembered, RememberedFolder } from '../state/ledger.ts'
import { catalogEntry } from './catalog-entry.ts'
import { describe } from './describe.ts'
import type { Batch, Report } from './batch.ts'
import { inspect, type Arena } from './inspect.ts'
import { itemsOf, type Item } from './item.ts'
import { versioned } from './keys.ts'
import { baseKey, counterOf, isDatedByMtime, nameGroup, namingOf, takenOf, type Naming } from './name.ts'
import type { Layout } from './layout.ts'
import type { PipelineOptions } from './options.ts'
import { Outcomes, unknownKind } from './outcomes.ts'
import { changed, sourceFailure, stampOf } from './source.ts'
import { compare, digestFile, stage, store, storeHeld, unstage, type TransferContext } from './transfer.ts'

/** A file that changes under every look is somebody's open document. */
const readAttempts = 3
/** How long a content that another transfer has claimed is left alone before it is asked for again. */
export const heldPauseMs = { first: 20, longest: 1000 }
/**
 * Files of one batch that are open while a disk flushes them: two batches in each of eight lanes, with two descriptors a file, come to
 * half of the 1024 that many systems allow a process.
 */
const openAtOnce = 16

export interface WorkContext extends TransferContext {
  options: PipelineOptions
  layout: Layout
  catalog: Catalog
  /** The bit of this run's catalog in the ledger. */
  place: number
  heldBytes: number
  /** Throws once the run was told to stop. */
  checkpoint: () => void
  /** Called once for each content that is about to be sent. @throws `limit` */
  spend: (bytes: number) => void
  sleep: (ms: number) => Promise<void>
  /** Tells the ledger, sooner or later: after the catalog, never before. */
  remember: (folder: RememberedFolder) => void
}

export interface Worked extends Report {
  /** What ends the run; the assets that it kept from their end are told as interrupted. */
  fatal?: ErrorReport
}

/** Takes a batch from its bytes to its outcomes: inspect → skip known → stage → name and claim → store → record. */
export async function work(batch: Batch, arena: Arena, ctx: WorkContext): Promise<Worked> {
  return new Work(batch, arena, ctx).run()
}

class Work {
  readonly #batch: Batch
  readonly #arena: Arena
  readonly #ctx: WorkContext
  readonly #items: Item[]
  readonly #outcomes: Outcomes
  readonly #remember: Remembered[] = []
  readonly #naming: Naming

  constructor(batch: Batch, arena: Arena, ctx: WorkContext) {
    this.#batch = batch
    this.#arena = arena
    this.#ctx = ctx
    this.#items = itemsOf(batch)
    this.#outcomes = new Outcomes(ctx.options)
    const { layout, options, destination } = ctx
    this.#naming = namingOf(
      layout,
      options.prefix,
      batch.folder.dir,
      destination.traits.keyRules,
      options.digestInNames,
    )
  }

  async run(): Promise<Worked> {
    let fatal: ErrorReport | undefined
    try {
      await this.#stages()
    } catch (error) {
      fatal = reportOf(error)
    }
    await this.#letGo(fatal?.code === 'limit' ? 'limit' : 'interrupted')
    if (!this.#ctx.options.dryRun) this.#ctx.remember({ path: this.#batch.folder.ledgerPath, files: this.#remember })
    this.#arena.clear()
    const { tally, events } = this.#outcomes
    const sentBytes = this.#items.reduce((sum, item) => sum + item.sentBytes, 0)
    return { tally, events, sentBytes, ...(fatal ? { fatal } : {}) }
  }

  async #stages(): Promise<void> {
    await this.#each((item) => this.#inspect(item))
    for (const item of this.#open) this.#decideKind(item)
    if (this.#asksMetadata) {
      // a claim would tell as well, but not before the metadata of files that need none was read
      await this.#skipKnown()
      await this.#each((item) => this.#describe(item))
      this.#filterByDate()
    } else if (this.#ctx.options.keepsNotes) await this.#each((item) => this.#describe(item))
    await this.#each((item) => this.#bytesFirst(item))
    await this.#storeAll()
  }

  get #open(): Item[] {
    return this.#items.filter(({ done }) => !done)
  }

  /** Runs `step` for each open item. An asset's failure is its outcome; what would meet every asset is thrown. */
  async #each(step: (item: Item) => Promise<void> | void): Promise<void> {
    for (const item of this.#open) {
      this.#ctx.checkpoint()
      try {
        // most steps of small files have nothing to wait for, and a promise a file and step is garbage by the ton
        const waiting = step(item)
        if (waiting) await waiting
      } catch (error) {
        await this.#fail(item, error)
      }
    }
  }

  async #fail(item: Item, error: unknown): Promise<void> {
    if (isStop(error)) throw error
    this.#outcomes.failed(item.found, error)
    item.done = true
    await unstage(item, true, this.#ctx)
    if (endsRun(error)) throw error
  }

  #inspect(item: Item): void | Promise<void> {
    // the ledger told kind and digest, and nothing has touched the file since
    if (item.kind !== undefined && item.digest !== undefined) return undefined
    const look = (): void | Promise<void> => inspect(item, this.#arena, this.#ctx.heldBytes, this.#ctx.options.allFiles)
    try {
      return look()
    } catch (error) {
      return this.#rereading(item, look, error)
    }
  }

  /** Looks again at a file that changed while it was read; `error` is what the first look came to. */
  async #rereading(item: Item, read: () => void | Promise<void>, error: unknown): Promise<void> {
    for (let last = error; ;) {
      await this.#prepareAgain(item, last)
      try {
        return await read()
      } catch (next) {
        last = next
      }
    }
  }

  async #prepareAgain(item: Item, error: unknown): Promise<void> {
    const changedNow = error instanceof LuminaError && error.code === 'changed-while-reading'
    if (!changedNow || ++item.changes >= readAttempts) throw error
    await unstage(item, false, this.#ctx)
    item.digest = undefined
    item.held = undefined
    this.#restat(item)
  }

  #restat(item: Item): void {
    try {
      const look = this.#ctx.options.followSymlinks ? statSync : lstatSync
      const stats = look(osPath(item.file.path))
      if (!stats.isFile()) throw changed(item.file.path)
      item.file.stamp = stampOf(stats, item.file.stableInodes)
      item.found = { ...item.found, bytes: item.file.stamp.bytes }
    } catch (error) {
      throw systemCode(error) === undefined ? error : sourceFailure(error, item.file.path)
    }
  }

  /** A sidecar goes with its photo; without one it is not a photo. */
  #decideKind(item: Item): void {
    const photoBeside = item.group.some((other) => other !== item && isPhoto(other.kind))
    const kind = item.kind ?? unknownKind
    item.sidecar = classOf(kind) === 'sidecar' && photoBeside
    if (item.file.stamp.bytes === 0) this.#skip(item, 'empty')
    else if (!this.#ctx.options.allFiles && !isPhoto(kind) && !item.sidecar) {
      this.#skip(item, 'not-a-photo')
      this.#remembered(item, 0)
    }
  }

  #skip(item: Item, reason: Parameters<Outcomes['skipped']>[1], key?: Key): void {
    this.#outcomes.skipped(item.found, reason, key)
    item.done = true
  }

  get #asksMetadata(): boolean {
    const { takenSinceMs, takenUntilMs } = this.#ctx.options.filters
    return this.#ctx.layout.asksMetadata || takenSinceMs !== undefined || takenUntilMs !== undefined
  }

  async #skipKnown(): Promise<void> {
    const asked = this.#open.filter(({ digest, sidecar }) => digest !== undefined && !sidecar)
    const known = await this.#ctx.catalog.known(asked.map(({ digest }) => digest as string))
    for (const item of asked) {
      const key = known.get(item.digest as string)
      if (key === undefined) continue
      this.#alreadyThere(item, key)
      await unstage(item, false, this.#ctx)
    }
  }

  #alreadyThere(item: Item, key: Key, place = this.#ctx.place): void {
    if (item.digest !== undefined) this.#outcomes.hashed(item.file.path, item.digest)
    this.#skip(item, 'already-there', key)
    this.#remembered(item, place)
  }

  #remembered(item: Item, place: number): void {
    const { member, file, kind, digest } = item
    // what changed since the walk is another content, which no other place has for certain
    const places = file.stamp === member.stamp ? (member.places ?? 0) : 0
    this.#remember.push({ ...file.stamp, name: member.name, kind, digest, stored: places | place })
  }

  async #describe(item: Item): Promise<void> {
    await describe(item)
    // a stored photo of the group tells the date as well as one that is to be stored
    for (const other of item.group)
      if (other.done && other.member.stored && !other.taken) await describe(other).catch(ignoreUnreadable)
  }

  #filterByDate(): void {
    const { takenSinceMs = Number.NEGATIVE_INFINITY, takenUntilMs = Number.POSITIVE_INFINITY } =
      this.#ctx.options.filters
    if (takenSinceMs === Number.NEGATIVE_INFINITY && takenUntilMs === Number.POSITIVE_INFINITY) return
    for (const item of this.#open) {
      const { year, month, day, hour, minute, second } = takenOf(item)
      const takenMs = new Date(year, month - 1, day, hour, minute, second).getTime()
      if (takenMs < takenSinceMs || takenMs > takenUntilMs) this.#skip(item, 'excluded-by-date')
    }
  }

  /**
   * Large files: where the destination gives the name last and nothing like the content is known, it is copied and hashed in one
   * pass; else it is hashed first, so that what is known is not sent.
   */
  #bytesFirst(item: Item): Promise<void> | undefined {
    const { bytes } = item.file.stamp
    const { traits, name } = this.#ctx.destination
    if (bytes > traits.maxObjectBytes) {
      throw new LuminaError(
        'too-large',
        `${item.file.path} is larger than ${name} can hold (${bytes} > ${traits.maxObjectBytes} bytes).`,
      )
    }
    if (item.digest !== undefined) return undefined
    return this.#sendOrHash(item).catch((error: unknown) => this.#startOver(item, error))
  }

  async #sendOrHash(item: Item): Promise<void> {
    const { traits, resumable } = this.#ctx.destination
    const onePass = resumable !== undefined && traits.keyAtFinish && !(await this.#resembles(item))
    if (!onePass) {
      item.digest = await digestFile(item, this.#ctx)
      return
    }
    this.#spend(item)
    await stage(item, '', this.#ctx)
  }

  #spend(item: Item): void {
    if (!item.spent) this.#ctx.spend(item.file.stamp.bytes)
    item.spent = true
  }

  /** A file that changed since it was looked at may be anything now: it is looked at as if for the first time. */
  async #startOver(item: Item, error: unknown): Promise<void> {
    await this.#prepareAgain(item, error)
    await this.#inspect(item)
    this.#decideKind(item)
    if (!item.done) await this.#bytesFirst(item)
  }

  async #resembles(item: Item): Promise<boolean> {
    if (item.head === undefined || !this.#ctx.catalog.resembling) return true
    const [resembles = true] = await this.#ctx.catalog.resembling([{ bytes: item.file.stamp.bytes, head: item.head }])
    return resembles
  }

  /** Claims, stores and records, round by round, until every item has its outcome. */
  async #storeAll(): Promise<void> {
    const counters = new Map<Item[], number>()
    let pauseMs = heldPauseMs.first
    for (let open = this.#open; open.length > 0; open = this.#open) {
      this.#ctx.checkpoint()
      const wants = await this.#wants(open, counters)
      const answers = await this.#ctx.catalog.claim(wants.map(({ claim }) => claim))
      const granted = await this.#settle(wants, answers, counters)
      await this.#storeGranted(granted, counters)
      const waiting = wants.length > 0 && answers.every(({ answer }) => answer === 'held')
      if (!waiting) continue
      await this.#ctx.sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, heldPauseMs.longest)
    }
  }

  async #wants(open: readonly Item[], counters: Map<Item[], number>): Promise<Want[]> {
    const wants: Want[] = []
    for (const group of new Set(open.map(({ group: own }) => own))) {
      const counter = counters.get(group) ?? (await this.#firstCounterOrFail(group))
      if (counter === undefined) continue
      if (group.length > 1) counters.set(group, counter)
      const keys = nameGroup(group, counter, this.#naming)
      for (const item of group) {
        if (item.done) continue
        const { digest, sidecar } = item
        wants.push({ item, claim: { key: keys.get(item) as Key, digest: digest as string, sidecar } })
      }
    }
    return wants
  }

  /** `undefined` when the destination could not tell, which is the failure of this group alone. */
  async #firstCounterOrFail(group: Item[]): Promise<number | undefined> {
    if (group.length === 1) return 1
    try {
      return await this.#firstCounter(group)
    } catch (error) {
      for (const item of group) if (!item.done) await this.#fail(item, error)
      return undefined
    }
  }

  /** Pairs stay pairs: companions of something stored take its counter, new ones the first that is free for all of them. */
  async #firstCounter(group: Item[]): Promise<number> {
    const { rules, digests } = this.#naming
    // the names of all of them carry digits of each
    if (digests) for (const item of group) this.#rememberedDigest(item)
    for (const item of group) {
      const key = await this.#storedKey(item)
      if (key === undefined) continue
      const base = baseKey(item, this.#naming)
      const counter = counterOf(key, base, rules)
      if (versioned(base, counter, rules) === key) return counter
    }
    if (this.#ctx.options.onCollision !== 'rename') return 1
    for (let counter = 1; ; counter++) {
      this.#ctx.checkpoint()
      const keys = nameGroup(group, counter, this.#naming)
      let free = true
      for (const item of group) {
        const key = keys.get(item) as Key
        if (!item.done && (await compare(key, item, this.#ctx)) === 'other') free = false
      }
      if (free) return counter
    }
  }

  /** Where a photo is that needs nothing more. */
  async #storedKey(item: Item): Promise<Key | undefined> {
    if (!item.done || item.sidecar) return undefined
    const digest = this.#rememberedDigest(item)
    return digest && (await this.#ctx.catalog.known([digest])).get(digest)
  }

  #rememberedDigest(item: Item): Sha256 | undefined {
    if (item.member.stored) item.digest ??= this.#ctx.ledger.digest(this.#batch.folder.ledgerPath, item.member.name)
    return item.digest
  }

  /** Acts on the answers of the catalog; returns what may be stored now. */
  async #settle(
    wants: readonly Want[],
    answers: readonly ClaimAnswer[],
    counters: Map<Item[], number>,
  ): Promise<Want[]> {
    const granted: Want[] = []
    const takenGroups = new Set<Item[]>()
    for (let at = 0; at < wants.length; at++) {
      const want = wants[at] as Want
      const answer = answers[at] as ClaimAnswer
      // a twin in this very run ends as its own: somebody else's transfer is another matter
      want.item.waits = answer.answer === 'held' && !answer.own
      switch (answer.answer) {
        case 'granted':
          granted.push(want)
          break
        case 'known':
          this.#alreadyThere(want.item, answer.key)
          await unstage(want.item, false, this.#ctx)
          break
        case 'key-taken':
          takenGroups.add(want.item.group)
          break
        case 'held':
          break
      }
    }
    const ahead = granted.filter(({ item }) => !takenGroups.has(item.group))
    await this.#ctx.catalog.release(granted.filter(({ item }) => takenGroups.has(item.group)).map(({ claim }) => claim))
    for (const group of takenGroups) await this.#collided(group, counters)
    return ahead
  }

  /** Another content has the name that a member of this group wants. */
  async #collided(group: Item[], counters: Map<Item[], number>): Promise<void> {
    const open = group.filter(({ done }) => !done)
    switch (this.#ctx.options.onCollision) {
      case 'rename':
        counters.set(group, (counters.get(group) ?? 1) + 1)
        return
      case 'skip':
        for (const item of open) this.#skip(item, 'collision')
        break
      case 'fail':
        for (const item of open) {
          const error = new LuminaError(
            'key-taken',
            `The name of ${item.file.path} belongs to another content at the destination.`,
            {
              hint: 'Use --on-collision rename to store it beside that one.',
            },
          )
          await this.#fail(item, error)
        }
    }
    for (const item of open) await unstage(item, false, this.#ctx)
  }

  async #storeGranted(granted: readonly Want[], counters: Map<Item[], number>): Promise<void> {
    if (granted.length === 0) return
    const results = await this.#storeEach(granted)
    const stored = results.filter((result) => result.result === 'stored' || result.result === 'adopted')
    const released = results.filter((result) => result.result === 'taken' || result.result === 'failed')
    const untold = stored.length > 0 ? await this.#record(stored) : undefined
    for (const { want, result } of stored) this.#stored(want, result === 'adopted', untold === undefined)
    if (untold) throw untold
    await this.#ctx.catalog.release(released.map(({ want }) => want.claim))
    for (const group of new Set(
      released.filter(({ result }) => result === 'taken').map(({ want }) => want.item.group),
    )) {
      await this.#collided(group, counters)
    }
    for (const { want, error } of released) {
      if (error === undefined) continue
      // with another content it may want another name, and be known: it goes through the next round
      await this.#startOver(want.item, error).catch((last: unknown) => this.#fail(want.item, last))
    }
  }

  /**
   * Tells the catalog what is stored now. One that is out of reach is told by the next run, from the ledger: what the destination has
   * confirmed is not sent again. Returns why it could not be told, which ends this run.
   */
  async #record(stored: readonly Stored[]): Promise<LuminaError | undefined> {
    const entries = stored.map(({ want }) => catalogEntry(want.item, want.claim))
    try {
      await this.#ctx.catalog.record(entries)
      return undefined
    } catch (error) {
      if (!(error instanceof LuminaError) || error.code !== 'destination-unreachable') throw error
      this.#ctx.ledger.keepUnrecorded(this.#ctx.url, entries)
      return error
    }
  }

  /** Most small files are stored there and then; only what waits costs a promise. */
  async #storeEach(wants: readonly Want[]): Promise<Stored[]> {
    const results: Stored[] = []
    const queue = wants.values()
    const some = async (): Promise<void> => {
      for (const want of queue) {
        const stored = this.#storeOne(want)
        results.push(stored instanceof Promise ? await stored : stored)
      }
    }
    await Promise.all(Array.from({ length: Math.min(openAtOnce, wants.length) }, some))
    return results
  }

  #storeOne(want: Want): Stored | Promise<Stored> {
    const { item, claim } = want
    try {
      this.#spend(item)
      if (storeHeld(item, claim.key, this.#ctx)) return { want, result: 'stored' }
    } catch (error) {
      return this.#notStored(want, error)
    }
    return store(item, claim.key, this.#ctx).then(
      () => ({ want, result: 'stored' }),
      (error: unknown) => this.#notStored(want, error),
    )
  }

  /** A taken key may hold this very content: what an earlier run had stored and not recorded. */
  async #notStored(want: Want, error: unknown): Promise<Stored> {
    const { item, claim } = want
    if (!(error instanceof LuminaError) || error.code !== 'key-taken') return { want, result: 'failed', error }
    try {
      const there = await compare(claim.key, item, this.#ctx)
      const { atomicNoClobber, keyAtFinish } = this.#ctx.destination.traits
      // where a taken key may be our own doing, of which the answer was lost, another name would make a duplicate
      if (there === 'unseen' && !atomicNoClobber) throw unconfirmed(item, claim.key)
      const adopted = there === 'same'
      if (adopted || !keyAtFinish) await unstage(item, false, this.#ctx)
      return { want, result: adopted ? 'adopted' : 'taken' }
    } catch (comparing) {
      return { want, result: 'failed', error: comparing }
    }
  }

  /** `known`: the catalog has it, so that the ledger may count on that. */
  #stored({ item, claim }: Want, adopted: boolean, known: boolean): void {
    const place = known ? this.#ctx.place : 0
    if (adopted) {
      this.#alreadyThere(item, claim.key, place)
      return
    }
    this.#outcomes.hashed(item.file.path, claim.digest)
    this.#outcomes.uploaded(item.found, claim.key, claim.digest, this.#ctx.options.dryRun)
    item.done = true
    if (this.#ctx.layout.asksDate && isDatedByMtime(item)) this.#outcomes.tally.datedByMtime++
    this.#remembered(item, place)
  }

  /** Ends what the run's end has left open: resumable bytes stay for another day, everything else is let go. */
  async #letGo(reason: 'interrupted' | 'limit'): Promise<void> {
    for (const item of this.#open) {
      if (item.waits) this.#outcomes.failed(item.found, stillHeld(item))
      else this.#outcomes.skipped(item.found, reason)
      item.done = true
      await unstage(item, true, this.#ctx).catch(() => undefined)
    }
  }
}

/** What ends the run without being anybody's failure. */
export function isStop(error: unknown): boolean {
  return error instanceof LuminaError && (error.code === 'interrupted' || error.code === 'limit')
}

interface Want {
  item: Item
  claim: Claim
}

interface Stored {
  want: Want
  result: 'stored' | 'adopted' | 'taken' | 'failed'
  error?: unknown
}

function unconfirmed({ file }: Item, key: Key): LuminaError {
  return new LuminaError(
    'unconfirmed',
    `Something lies under ${key} already, and this login may not look whether it is ${file.path}.`,
    { hint: 'Compare it with a login that may read, or let this one read what it has stored.' },
  )
}

function stillHeld({ file }: Item): LuminaError {
  return new LuminaError('held', `Another run was still sending the content of ${file.path} when this one ended.`, {
    hint: 'Run the same command again: it is stored by then, or free to be.',
  })
}

function ignoreUnreadable(error: unknown): void {
  if (!(error instanceof LuminaError)) throw error
}
