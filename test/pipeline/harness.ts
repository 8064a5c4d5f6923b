import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { sqliteCatalog } from '../../src/client/catalogs/sqlite.ts'
import type { Catalog, CatalogEntry, Destination } from '../../src/client/destination.ts'
import { memoryDestination, type MemoryDestination } from '../../src/client/drivers/memory.ts'
import type { LuminaEvent } from '../../src/events.ts'
import type { FolderTask } from '../../src/pipeline/batch.ts'
import type { LaneClient } from '../../src/pipeline/lanes/client.ts'
import { Lane } from '../../src/pipeline/lanes/lane.ts'
import { createShared, type SharedState } from '../../src/pipeline/lanes/shared.ts'
import type { FilterOptions, PipelineOptions } from '../../src/pipeline/options.ts'
import { Run, type RunParts, type RunResult } from '../../src/pipeline/run.ts'
import type { Spooling } from '../../src/pipeline/scan.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { content } from '../contract/sources.ts'

/** A folder that goes when the test ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-pipeline-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Bytes that begin as a JPEG and go on as nothing in particular, the same for the same seed. */
export function jpeg(seed: number, bytes = 64): Uint8Array {
  const all = content(bytes, seed)
  all.set([0xff, 0xd8, 0xff, 0xe0])
  return all
}

export const xmp = (text: string): string => `<x:xmpmeta xmlns:x="adobe:ns:meta/">${text}</x:xmpmeta>`

export const noFilters: FilterOptions = { include: [], exclude: [], ignoreLines: [], skipFolders: [] }

export const uploadOptions: PipelineOptions = {
  task: 'upload',
  layout: '{dir}/{name}{ext}',
  prefix: '',
  onCollision: 'rename',
  filters: noFilters,
  allFiles: false,
  followSymlinks: false,
  rehash: false,
  dryRun: false,
  quick: false,
  detail: true,
}

export interface Ran extends RunResult {
  events: LuminaEvent[]
  found: number
  uploaded: number
  skipped: number
  failed: number
}

export interface RunOptions {
  options?: Partial<PipelineOptions>
  lanes?: number
  tasks?: Iterable<FolderTask>
  /** Who runs: two runs at once are two holders. */
  holder?: string
  destination?: Destination
  /** What lies around the catalog of each lane. */
  around?: (catalog: Catalog) => Catalog
  /** What lies around each lane, which has its number. */
  lane?: (client: LaneClient, index: number) => LaneClient
  maxTransferBytes?: number
  spooling?: Spooling
  parts?: Partial<RunParts>
  /** Hears each event as it comes. */
  emit?: (event: LuminaEvent) => void
  onShared?: (shared: SharedState) => void
  onRun?: (run: Run) => void
}

/** A source folder, a destination with its catalog, and a machine's state: what runs share. */
export class World {
  readonly folder = scratch()
  readonly source = join(this.folder, 'source')
  readonly state = join(this.folder, 'state')
  readonly destination: MemoryDestination

  constructor(destination: MemoryDestination = memoryDestination()) {
    this.destination = destination
    mkdirSync(this.source)
  }

  /** Writes a file below the source, with folders as needed, and returns its path. */
  write(name: string, bytes: Uint8Array | string, modifiedMs = 1_700_000_000_000): string {
    const path = join(this.source, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    utimesSync(path, modifiedMs / 1000, modifiedMs / 1000)
    return path
  }

  catalog(holder = 'me'): Catalog {
    return sqliteCatalog({ path: join(this.folder, 'catalog.db'), id: 'world', holder })
  }

  async entries(): Promise<CatalogEntry[]> {
    const catalog = this.catalog()
    const entries: CatalogEntry[] = []
    for await (const entry of catalog.entries()) entries.push(entry)
    await catalog.close()
    return entries
  }

  /** Object keys, in order. */
  get keys(): string[] {
    return [...this.destination.objects.keys()].toSorted()
  }

  async run(asked: RunOptions = {}): Promise<Ran> {
    const options = { ...uploadOptions, ...asked.options }
    const lanes = asked.lanes ?? 1
    const shared = createShared(lanes, asked.maxTransferBytes)
    asked.onShared?.(shared)
    const events: LuminaEvent[] = []
    const emit = (event: LuminaEvent): void => {
      if (event.event === 'progress') return
      events.push(event)
      asked.emit?.(event)
    }
    const catalog = this.catalog(asked.holder)
    const ledger = new Ledger(this.state)
    const placeBit = ledger.place('memory://', await catalog.identity(), 0)
    ledger.close()
    await catalog.close()
    const startLane = (index: number): LaneClient => {
      const bare = this.catalog(asked.holder)
      const stopping = new AbortController()
      const lane = new Lane({
        index,
        options,
        stateDir: this.state,
        placeBit,
        url: 'memory://',
        destination: asked.destination ?? this.destination,
        catalog: asked.around?.(bare) ?? bare,
        shared,
        emit,
        signal: stopping.signal,
        ...(asked.spooling && { spooling: asked.spooling }),
      })
      const client: LaneClient = {
        scan: async (tasks) => lane.scan(tasks),
        work: async (batch) => lane.work(batch),
        stop: () => stopping.abort(),
        close: () => lane.close(),
      }
      return asked.lane?.(client, index) ?? client
    }
    const tasks = asked.tasks ?? [{ path: this.source, dir: '', ignores: [] }]
    const run = new Run(tasks, { lanes, startLane, shared, emit, options, nowMs: () => 0, ...asked.parts })
    asked.onRun?.(run)
    return summed(await run.run(), events)
  }
}

function summed(result: RunResult, events: LuminaEvent[]): Ran {
  const { found, uploaded, failed } = result.tally
  const skipped = Object.values(result.tally.skipped).reduce((sum, count) => sum + count, 0)
  return { ...result, events, found, uploaded, failed, skipped }
}

/** Law 1: every asset has one outcome, and the events say the same as the counts. */
export function isAccountedFor({ tally, events, found, uploaded, skipped, failed }: Ran): boolean {
  const outcomes = events.filter(({ event }) => ['uploaded', 'skipped', 'failed'].includes(event))
  const paths = new Set(outcomes.map((outcome) => ('path' in outcome ? outcome.path : '')))
  return (
    found === uploaded + skipped + failed && outcomes.length === found && paths.size === found && tally.found === found
  )
}

/** `path: outcome` for each asset, in order of path; the path below `folder`. */
export function outcomesOf({ events }: Pick<Ran, 'events'>, folder: string): Record<string, string> {
  const outcomes: Record<string, string> = {}
  for (const event of events) {
    const tell = (what: string): void => {
      if ('path' in event) outcomes[event.path.slice(folder.length + 1)] = what
    }
    if (event.event === 'uploaded') tell(`uploaded ${event.key}`)
    if (event.event === 'skipped') tell(`skipped ${event.reason}`)
    if (event.event === 'failed') tell(`failed ${event.code}`)
  }
  return Object.fromEntries(Object.entries(outcomes).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
