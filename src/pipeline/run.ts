import { errorFrom, LuminaError, type ErrorReport } from '../errors.ts'
import type { Emit, FailedEvent, ProgressEvent, SummaryEvent } from '../events.ts'
import {
  addTally,
  count,
  emptyTally,
  sumOf,
  unpackGroups,
  type Batch,
  type FolderTask,
  type Report,
  type Scanned,
  type Tally,
} from './batch.ts'
import type { LaneClient } from './lanes/client.ts'
import { requestStop, type SharedState, type StopReason } from './lanes/shared.ts'
import type { Task } from './options.ts'
import { Outcomes, unknownKind } from './outcomes.ts'

/** Folders that a lane walks before it answers: enough to make the message cheap, few enough to share a tree out. */
const foldersATask = 32
/** Jobs a lane has at once, so that it never waits for the main thread between two. */
const jobsALane = 2
/** Batches that wait; beyond it the walk pauses, so that memory does not grow with the tree. */
const waitingBatchesALane = 4
const progressEveryMs = 100
/** How long what is on the wire may take to end after the first Ctrl-C. */
const graceMs = 10_000
/** Failures that the summary and the ledger name. */
const keptFailures = 1000

export interface RunParts {
  lanes: number
  startLane: (index: number) => LaneClient
  shared: SharedState
  emit: Emit
  options: { task: Task; detail: boolean }
  maxDurationMs?: number
  /** Undefined while events are read as fast as they come; else nothing new begins until it resolves. */
  drained?: () => Promise<void> | undefined
  nowMs: () => number
}

export interface RunResult {
  tally: Tally
  /** The first of them. */
  failures: FailedEvent[]
  /** All of them. */
  failedBy: SummaryEvent['failedBy']
  retries: number
  seconds: number
  /** Why it ended before all was done. */
  ended?: StopReason | 'error'
  error?: LuminaError
  /** A lane did not come back in time: the process must not wait for it. */
  stuck: boolean
}

interface Job {
  lane: number
  batch?: Batch
}

/**
 * Shares folders and batches out to the lanes, adds up what they answer, and ends the run: when all is done, when it was told to
 * stop, or when an error would meet every further asset. Nothing here blocks.
 */
export class Run {
  readonly #parts: RunParts
  readonly #lanes: LaneClient[] = []
  readonly #jobs = new Set<Job>()
  readonly #folders: FolderTask[] = []
  /** Where the walk begins; asked only when nothing else is left, since a list may name millions. */
  readonly #sources: Iterator<FolderTask>
  #sourcesDone = false
  readonly #pinned: FolderTask[][] = []
  readonly #batches: Batch[] = []
  readonly #tally = emptyTally()
  readonly #failures: FailedEvent[] = []
  readonly #failedBy: SummaryEvent['failedBy'] = {}
  readonly #begunMs: number
  readonly #finished = Promise.withResolvers<void>()
  #ended: StopReason | 'error' | undefined
  #error: LuminaError | undefined
  #retries = 0
  #current: string | undefined
  #reportedSentBytes = 0
  #stuck = false
  #graceTimer: NodeJS.Timeout | undefined

  constructor(tasks: Iterable<FolderTask>, parts: RunParts) {
    this.#parts = parts
    this.#sources = tasks[Symbol.iterator]()
    this.#begunMs = parts.nowMs()
  }

  async run(): Promise<RunResult> {
    const progress = setInterval(() => this.#parts.emit(this.progress()), progressEveryMs)
    const { maxDurationMs } = this.#parts
    const deadline = maxDurationMs === undefined ? undefined : setTimeout(() => this.stop('limit'), maxDurationMs)
    try {
      this.#pump()
      await this.#finished.promise
    } finally {
      clearInterval(progress)
      clearTimeout(deadline)
      clearTimeout(this.#graceTimer)
    }
    if (!this.#stuck) await Promise.all(this.#lanes.map((lane) => lane.close()))
    this.#parts.emit(this.progress())
    return this.#result()
  }

  /** Ends the run early: what is on the wire comes to a checkpoint, nothing new begins. */
  stop(reason: StopReason): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#windDown(reason)
  }

  /** A lane waits before it asks again. */
  retried(): void {
    this.#retries++
  }

  progress(): ProgressEvent {
    const { found, uploaded, failed, foundBytes, uploadedBytes, skipped, notStored } = this.#tally
    return {
      event: 'progress',
      found: found + this.#waitingFiles(),
      foundBytes: foundBytes + this.#waitingBytes(),
      uploaded,
      uploadedBytes,
      skipped: sumOf(skipped) + sumOf(notStored),
      failed,
      inFlightBytes: Math.max(
        0,
        this.#parts.shared.sentBytes.reduce((total, bytes) => total + bytes, 0) - this.#reportedSentBytes,
      ),
      walked:
        this.#sourcesDone &&
        !this.#isScanning() &&
        this.#folders.length === 0 &&
        this.#pinned.every((tasks) => tasks.length === 0),
      ...(this.#current === undefined ? {} : { current: this.#current }),
      retries: this.#retries,
      seconds: this.#seconds(),
    }
  }

  #windDown(reason: StopReason): void {
    requestStop(this.#parts.shared, reason)
    for (const lane of this.#lanes) lane.stop()
    this.#graceTimer ??= setTimeout(() => this.#giveUp(), graceMs)
    this.#pump()
  }

  /** Lanes that are blocked in a read won't answer any more; their assets are told without them. */
  #giveUp(): void {
    this.#stuck = true
    for (const { batch } of this.#jobs) if (batch) this.#batches.push(batch)
    this.#jobs.clear()
    this.#pump()
  }

  #pump(): void {
    const full = this.#parts.drained?.()
    if (this.#ended !== undefined) this.#dropQueues()
    else if (full) return void full.then(() => this.#pump())
    else while (this.#dispatch());
    if (this.#jobs.size === 0) this.#finished.resolve()
  }

  #dropQueues(): void {
    const outcomes = new Outcomes(this.#parts.options)
    const reason = this.#ended === 'limit' ? 'limit' : 'interrupted'
    for (const batch of this.#batches) {
      for (const { name, stamp, kind, stored } of unpackGroups(batch.groups).flat()) {
        const found = { path: `${batch.folder.path}/${name}`, name, bytes: stamp.bytes, kind: kind ?? unknownKind }
        if (!stored) outcomes.skipped(found, reason)
      }
    }
    this.#batches.length = 0
    this.#folders.length = 0
    this.#pinned.length = 0
    this.#take(outcomes)
  }

  /** Gives one job to the least busy lane; a new thread is started only when every one has something to do. */
  #dispatch(): boolean {
    if (!this.#hasWork()) return false
    const lane = this.#freeLane()
    if (lane === undefined) return false
    const batch = this.#batches.length >= this.#enough ? this.#batches.shift() : undefined
    const tasks = batch ? [] : this.#nextFolders(lane)
    if (tasks.length > 0) this.#start({ lane }, (client) => client.scan(tasks))
    else {
      const next = batch ?? this.#batches.shift()
      if (!next) return false
      this.#current = `${next.folder.path}/${next.groups.names.slice(0, next.groups.names.indexOf('\0'))}`
      this.#start({ lane, batch: next }, (client) => client.work(next))
    }
    return true
  }

  get #enough(): number {
    return waitingBatchesALane * this.#parts.lanes
  }

  #hasWork(): boolean {
    return (
      !this.#sourcesDone ||
      this.#batches.length > 0 ||
      this.#folders.length > 0 ||
      this.#pinned.some((tasks) => tasks.length > 0)
    )
  }

  /** The least busy lane; but while batches are wanted, first one that alone can go on with a folder. */
  #freeLane(): number | undefined {
    const loads = Array.from({ length: this.#parts.lanes }, (_, lane) => this.#load(lane))
    const least = Math.min(...loads)
    if (least >= jobsALane) return undefined
    const pinned = loads.findIndex((load, lane) => load < jobsALane && (this.#pinned[lane]?.length ?? 0) > 0)
    return pinned >= 0 && this.#batches.length < this.#enough ? pinned : loads.indexOf(least)
  }

  #load(lane: number): number {
    let load = 0
    for (const job of this.#jobs) if (job.lane === lane) load++
    return load
  }

  #nextFolders(lane: number): FolderTask[] {
    const pinned = this.#pinned[lane]?.shift()
    if (pinned) return [pinned]
    if (this.#folders.length === 0) return this.#nextSource()
    // a share each, so that a small tree is walked by all lanes too
    const share = Math.ceil(this.#folders.length / (this.#parts.lanes * jobsALane))
    return this.#folders.splice(-Math.min(share, foldersATask)).toReversed()
  }

  #nextSource(): FolderTask[] {
    if (this.#sourcesDone) return []
    try {
      const next = this.#sources.next()
      this.#sourcesDone = next.done === true
      return next.done ? [] : [next.value]
    } catch (error) {
      this.#sourcesDone = true
      this.#fatal(asLumina(error))
      return []
    }
  }

  #start(job: Job, call: (lane: LaneClient) => Promise<Report>): void {
    this.#jobs.add(job)
    const client = (this.#lanes[job.lane] ??= this.#parts.startLane(job.lane))
    call(client).then(
      (report) => this.#answered(job, report),
      (error: unknown) => this.#broke(job, error),
    )
  }

  #answered(job: Job, report: Report & Partial<Scanned> & { fatal?: ErrorReport }): void {
    if (!this.#jobs.delete(job)) return
    this.#take(report)
    if (report.folders) this.#folders.push(...report.folders.toReversed())
    if (report.rests) (this.#pinned[job.lane] ??= []).push(...report.rests)
    if (report.batches) this.#batches.push(...report.batches)
    if (report.fatal) this.#fatal(errorFrom(report.fatal))
    this.#pump()
  }

  #fatal(error: LuminaError): void {
    if (this.#ended !== undefined) return
    this.#ended = error.code === 'limit' ? 'limit' : 'error'
    if (error.code !== 'limit') this.#error = error
    this.#windDown(this.#ended === 'limit' ? 'limit' : 'interrupted')
  }

  /** A lane threw, which is a bug or the end of its thread: its batch is told as interrupted. */
  #broke(job: Job, error: unknown): void {
    if (!this.#jobs.delete(job)) return
    if (job.batch) this.#batches.push(job.batch)
    this.#fatal(asLumina(error))
    this.#pump()
  }

  #take({ tally, events, sentBytes = 0 }: Report): void {
    addTally(this.#tally, tally)
    this.#reportedSentBytes += sentBytes
    for (const event of events) {
      if (event.event === 'failed') {
        count(this.#failedBy, event.code)
        if (this.#failures.length < keptFailures) this.#failures.push(event)
      }
      this.#parts.emit(event)
    }
  }

  #isScanning(): boolean {
    for (const { batch } of this.#jobs) if (!batch) return true
    return false
  }

  #waitingFiles(): number {
    return this.#sumOfBatches((batch) => batch.files)
  }

  #waitingBytes(): number {
    return this.#sumOfBatches((batch) => batch.bytes)
  }

  #sumOfBatches(of: (batch: Batch) => number): number {
    let total = 0
    for (const batch of this.#batches) total += of(batch)
    for (const { batch } of this.#jobs) if (batch) total += of(batch)
    return total
  }

  #seconds(): number {
    return (this.#parts.nowMs() - this.#begunMs) / 1000
  }

  #result(): RunResult {
    return {
      tally: this.#tally,
      failures: this.#failures,
      failedBy: this.#failedBy,
      retries: this.#retries,
      seconds: this.#seconds(),
      stuck: this.#stuck,
      ...(this.#ended === undefined ? {} : { ended: this.#ended }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }
}

function asLumina(error: unknown): LuminaError {
  return error instanceof LuminaError ? error : new LuminaError('bug', String(error), { cause: error })
}
