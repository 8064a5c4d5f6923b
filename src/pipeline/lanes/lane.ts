import { setTimeout as sleep } from 'node:timers/promises'

import type { CallContext, Catalog, Destination } from '../../client/destination.ts'
import { reportOf } from '../../errors.ts'
import type { Emit } from '../../events.ts'
import { Ledger, type RememberedFolder } from '../../state/ledger.ts'
import { Volumes } from '../../state/volume.ts'
import { addTally, emptyTally, type Batch, type FolderTask, type Scanned } from '../batch.ts'
import { indexBatch } from '../index-batch.ts'
import { createFilters } from '../filters.ts'
import { Arena } from '../inspect.ts'
import type { Item } from '../item.ts'
import { parseLayout } from '../layout.ts'
import type { PipelineOptions } from '../options.ts'
import { scanFolder, spooling, type ScanContext, type Spooling } from '../scan.ts'
import { Spool } from '../spool.ts'
import { verifyBatch } from '../verify.ts'
import { work, type WorkContext, type Worked } from '../work.ts'
import { checkpoint, spend, type SharedState } from './shared.ts'

/** Files up to this size are read once into the lane's buffer, where sniffing, digest and transfer share them. */
const heldBytes = 256 * 1024
/** The small files of one batch; two batches of a lane are under way at once. */
const arenaBytes = 1024 * 1024

const tasks = { upload: work, verify: verifyBatch, index: indexBatch } as const

export interface LaneParts {
  index: number
  options: PipelineOptions
  stateDir: string
  /** The bit of this run's catalog in the ledger. */
  placeBit: number
  url: string
  destination: Destination
  catalog: Catalog
  shared: SharedState
  emit: Emit
  signal: AbortSignal
  spooling?: Spooling
}

/** After so many files a lane answers, and leaves the folders that it was given besides: one answer is held in memory whole. */
const scannedFiles = 4096
/** What the ledger is told at once. Killed before, a run costs as many files a second hash, and no second upload. */
const rememberedFiles = 1000

/** Walks folders and takes batches from their bytes to their outcomes, one thread's worth of the run. */
export class Lane {
  readonly #parts: LaneParts
  readonly #ledger: Ledger
  readonly #spool = new Spool()
  readonly #arenas: Arena[] = []
  readonly #scan: ScanContext
  readonly #work: WorkContext
  #toRemember: RememberedFolder[] = []
  #filesToRemember = 0

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#ledger = new Ledger(parts.stateDir)
    const { options, placeBit: place, destination, catalog, url, shared, signal } = parts
    this.#scan = {
      options,
      filters: createFilters(options.filters),
      ledger: this.#ledger,
      volumes: new Volumes(),
      spool: this.#spool,
      spooling: parts.spooling ?? spooling,
      place,
      heldBytes,
      batchBytes: arenaBytes,
    }
    this.#work = {
      options,
      layout: parseLayout(options.layout),
      destination,
      catalog,
      ledger: this.#ledger,
      url,
      place,
      heldBytes,
      nowMs: Date.now,
      remember: (folder) => this.#remember(folder),
      checkpoint: () => checkpoint(shared),
      spend: (bytes) => spend(shared, bytes),
      sleep: (ms) => sleep(ms, undefined, { signal }),
      call: (item) => (item.call ??= this.#call(item)),
    }
  }

  scan(folders: readonly FolderTask[]): Scanned {
    const all: Scanned = { tally: emptyTally(), events: [], folders: [], batches: [], rests: [] }
    let found = 0
    for (const [at, folder] of folders.entries()) {
      if (found >= scannedFiles) {
        all.folders.push(...folders.slice(at))
        break
      }
      const { tally, events, folders: below, batches, rests } = scanFolder(folder, this.#scan)
      found += tally.found + batches.reduce((sum, { files }) => sum + files, 0)
      addTally(all.tally, tally)
      all.events.push(...events)
      all.folders.push(...below)
      all.batches.push(...batches)
      all.rests.push(...rests)
    }
    return all
  }

  async work(batch: Batch): Promise<Worked> {
    const arena = this.#arenas.pop() ?? new Arena(arenaBytes)
    try {
      return await tasks[this.#parts.options.task](batch, arena, this.#work)
    } finally {
      this.#arenas.push(arena)
    }
  }

  #remember(folder: RememberedFolder): void {
    this.#toRemember.push(folder)
    this.#filesToRemember += folder.files.length
    if (this.#filesToRemember >= rememberedFiles) this.#flush()
  }

  #flush(): void {
    this.#ledger.remember(this.#toRemember)
    this.#toRemember = []
    this.#filesToRemember = 0
  }

  async close(): Promise<void> {
    this.#flush()
    this.#ledger.close()
    this.#spool.close()
    await this.#parts.catalog.close()
    await this.#parts.destination.close?.()
  }

  #call(item: Item): CallContext {
    const { shared, signal, emit, index } = this.#parts
    const { path } = item.file
    return {
      signal,
      checkpoint: () => checkpoint(shared),
      progress(sentBytes) {
        // a transfer that goes on from an earlier offset takes some of it back
        shared.sentBytes[index] = (shared.sentBytes[index] ?? 0) + sentBytes - item.sentBytes
        item.sentBytes = sentBytes
      },
      retrying(attempt, delayMs, error) {
        const { code, message } = reportOf(error)
        emit({ event: 'retrying', path, attempt, delayMs, code, message })
      },
    }
  }
}
