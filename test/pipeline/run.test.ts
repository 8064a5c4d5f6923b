import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { LuminaError } from '../../src/errors.ts'
import type { LuminaEvent } from '../../src/events.ts'
import {
  emptyTally,
  packGroups,
  sumOf,
  unpackGroups,
  type Batch,
  type FolderTask,
  type Report,
  type Scanned,
} from '../../src/pipeline/batch.ts'
import type { LaneClient } from '../../src/pipeline/lanes/client.ts'
import { createShared, requestStop } from '../../src/pipeline/lanes/shared.ts'
import { Run, type RunParts, type RunResult } from '../../src/pipeline/run.ts'
import type { Worked } from '../../src/pipeline/work.ts'

const folderTask = (path: string): FolderTask => ({ path, dir: '', ignores: [] })

function batchOf(folder: string, names: readonly string[]): Batch {
  const stamp = { bytes: 10, mtimeUs: 1, ctimeUs: 1, inode: 1 }
  return {
    folder: { path: folder, dir: '', ledgerPath: folder, stableInodes: true },
    groups: packGroups(names.map((name) => [{ name, stamp }])),
    files: names.length,
    bytes: names.length * 10,
  }
}

const namesOf = (batch: Batch): string[] => unpackGroups(batch.groups).flatMap((group) => group.map(({ name }) => name))

const scanned = (more: Partial<Scanned> = {}): Scanned => ({
  tally: emptyTally(),
  events: [],
  folders: [],
  batches: [],
  rests: [],
  ...more,
})

/** Every file of the batch is stored. */
function storedAll(batch: Batch): Worked {
  const { files, bytes } = batch
  const tally = { ...emptyTally(), found: files, foundBytes: bytes, uploaded: files, uploadedBytes: bytes }
  return { tally, events: [] }
}

interface FakeLane extends LaneClient {
  stopped: boolean
  closed: boolean
}

function fakeLane(scan: LaneClient['scan'], work: LaneClient['work'] = async (batch) => storedAll(batch)): FakeLane {
  const lane: FakeLane = {
    stopped: false,
    closed: false,
    scan,
    work,
    stop: () => {
      lane.stopped = true
    },
    close: async () => {
      lane.closed = true
    },
  }
  return lane
}

interface Setup {
  tasks?: Iterable<FolderTask>
  lanes?: LaneClient[]
  parts?: Partial<RunParts>
}

function runOver({ tasks = [folderTask('/a')], lanes = [], parts = {} }: Setup): { run: Run; events: LuminaEvent[] } {
  const events: LuminaEvent[] = []
  const run = new Run(tasks, {
    lanes: lanes.length,
    startLane: (index) => lanes[index] as LaneClient,
    shared: createShared(lanes.length),
    emit: (event) => events.push(event),
    options: { task: 'upload', detail: true },
    nowMs: () => 0,
    ...parts,
  })
  return { run, events }
}

const balances = ({ tally: { found, uploaded, skipped, failed } }: RunResult): boolean =>
  found === uploaded + sumOf(skipped) + failed

/** A turn of everything that waits for nothing but other promises. */
const settle = (): Promise<void> => new Promise(setImmediate)

describe('what is walked', () => {
  it('is every folder and every rest of one, whichever lane has it, before the run ends', async () => {
    const pagesOf = (lane: number): FolderTask => ({ ...folderTask(`/lane-${lane}`), after: '1' })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), async (laneCount, pages) => {
        const walked: string[] = []
        const scan =
          (lane: number): LaneClient['scan'] =>
          async (tasks) => {
            const rests: FolderTask[] = []
            for (const task of tasks) {
              const page = Number(task.after ?? 0)
              walked.push(`${task.path} ${page}`)
              if (task.after !== undefined)
                expect(task.path, 'a rest goes to the lane that has its names').toBe(pagesOf(lane).path)
              if (page < pages) rests.push({ ...pagesOf(lane), after: String(page + 1) })
            }
            return scanned({ rests })
          }
        const lanes = Array.from({ length: laneCount }, (_, lane) => fakeLane(scan(lane)))
        const sources = Array.from({ length: laneCount * 2 }, (_, at) => folderTask(`/source-${at}`))
        await runOver({ lanes, tasks: sources }).run.run()
        expect(walked).toHaveLength(sources.length * (pages + 1))
      }),
    )
  })

  it('includes the rest of a folder of which all names so far were known', async () => {
    const walked: string[] = []
    const idle = fakeLane(async () => scanned())
    const busy = fakeLane(async ([task]) => {
      walked.push(task?.after ?? 'begin')
      return scanned(task?.after === undefined ? { rests: [{ ...folderTask('/huge'), after: 'x' }] } : {})
    })
    await runOver({ lanes: [idle, busy], tasks: [folderTask('/small'), folderTask('/huge')] }).run.run()
    expect(walked).toEqual(['begin', 'x'])
  })

  it('is asked of the sources only when nothing else is left', async () => {
    let asked = 0
    const tasks = function* (): Generator<FolderTask> {
      for (let at = 0; at < 1000; at++) {
        asked++
        yield folderTask(`/s${at}`)
      }
    }
    const gate = Promise.withResolvers<void>()
    const lane = fakeLane(
      async (all) => scanned({ batches: all.map(({ path }) => batchOf(path, ['a.jpg'])) }),
      async (batch) => {
        await gate.promise
        return storedAll(batch)
      },
    )
    const { run } = runOver({ lanes: [lane], tasks: tasks() })
    const ended = run.run()
    await settle()
    const early = asked
    expect(early).toBeLessThan(20)
    gate.resolve()
    const result = await ended
    expect(asked).toBe(1000)
    expect(result.tally).toMatchObject({ found: 1000, uploaded: 1000 })
  })

  it('pauses while enough batches wait, so that memory does not grow with the tree', async () => {
    const gate = Promise.withResolvers<void>()
    let scans = 0
    const lane = fakeLane(
      async (all) => {
        scans++
        const folders = scans < 500 ? all.flatMap(({ path }) => [folderTask(`${path}/a`)]) : []
        return scanned({ folders, batches: all.map(({ path }) => batchOf(path, ['x.jpg'])) })
      },
      async (batch) => {
        await gate.promise
        return storedAll(batch)
      },
    )
    const { run } = runOver({ lanes: [lane] })
    const ended = run.run()
    await settle()
    expect(scans).toBeLessThan(10)
    gate.resolve()
    expect((await ended).tally.uploaded).toBe(500)
  })
})

describe('backpressure', () => {
  it('begins nothing while events are not read, and goes on when they are', async () => {
    let full: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>()
    const scan = vi.fn(async () => scanned({ batches: [batchOf('/a', ['a.jpg'])] }))
    const { run } = runOver({ lanes: [fakeLane(scan)], parts: { drained: () => full?.promise } })
    const ended = run.run()
    await settle()
    expect(scan).not.toHaveBeenCalled()
    const release = full
    full = undefined
    release.resolve()
    expect((await ended).tally.uploaded).toBe(1)
  })

  it('does not keep a stopped run from ending', async () => {
    const never = new Promise<void>(() => undefined)
    const { run } = runOver({ lanes: [fakeLane(async () => scanned())], parts: { drained: () => never } })
    const ended = run.run()
    run.stop('interrupted')
    expect(await ended).toMatchObject({ ended: 'interrupted' })
  })
})

describe('the end of a run', () => {
  const twoBatches: LaneClient['scan'] = async () =>
    scanned({ batches: [batchOf('/a', ['1.jpg', '2.jpg']), batchOf('/a', ['3.jpg']), batchOf('/a', ['4.jpg'])] })

  it('closes each lane that it started, and starts none that it does not need', async () => {
    const lanes = [fakeLane(async () => scanned()), fakeLane(async () => scanned())]
    await runOver({ lanes }).run.run()
    expect(lanes.map(({ closed }) => closed)).toEqual([true, false])
  })

  it.each(['interrupted', 'limit'] as const)('stopped by %s, tells what was not begun', async (reason) => {
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const lane = fakeLane(twoBatches, async (batch) => {
      begun.resolve()
      await gate.promise
      return storedAll(batch)
    })
    const { run, events } = runOver({ lanes: [lane] })
    const ended = run.run()
    await begun.promise
    run.stop(reason)
    expect(lane.stopped).toBe(true)
    gate.resolve()
    const result = await ended
    expect(result).toMatchObject({ ended: reason, stuck: false })
    expect(result.tally).toMatchObject({ found: 4, uploaded: 3, skipped: { [reason]: 1 }, failed: 0 })
    expect(events).toContainEqual({ event: 'skipped', path: '/a/4.jpg', bytes: 10, reason })
  })

  it('keeps the first reason to stop', async () => {
    const { run } = runOver({ lanes: [fakeLane(async () => scanned())] })
    const ended = run.run()
    run.stop('limit')
    run.stop('interrupted')
    expect(await ended).toMatchObject({ ended: 'limit' })
  })

  it('comes when the time is up, as a limit', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    try {
      const gate = Promise.withResolvers<void>()
      const lane = fakeLane(async () => {
        await gate.promise
        return scanned()
      })
      const { run } = runOver({ lanes: [lane], parts: { maxDurationMs: 5000 } })
      const ended = run.run()
      await vi.advanceTimersByTimeAsync(4999)
      expect(lane.stopped).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      expect(lane.stopped).toBe(true)
      gate.resolve()
      expect(await ended).toMatchObject({ ended: 'limit' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('does not wait for lanes that are blocked longer than the grace', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    try {
      const late = Promise.withResolvers<Worked>()
      const lane = fakeLane(twoBatches, () => late.promise)
      const { run } = runOver({ lanes: [lane] })
      const ended = run.run()
      await vi.advanceTimersByTimeAsync(0)
      run.stop('interrupted')
      await vi.advanceTimersByTimeAsync(10_000)
      const result = await ended
      expect(result).toMatchObject({ ended: 'interrupted', stuck: true })
      expect(result.tally).toMatchObject({ found: 4, uploaded: 0, skipped: { interrupted: 4 } })
      expect(lane.closed, 'it would wait for ever').toBe(false)
      // an answer that comes too late counts nothing twice
      late.resolve(storedAll(batchOf('/a', ['1.jpg'])))
      await settleWithFakeTimers()
      expect(result.tally.found).toBe(4)
    } finally {
      vi.useRealTimers()
    }
  })

  it('comes with a lane that throws: its batch is told as interrupted, and the error is kept', async () => {
    const lane = fakeLane(twoBatches, async (batch) => {
      if (namesOf(batch).includes('3.jpg')) throw new Error('a bug')
      return storedAll(batch)
    })
    const result = await runOver({ lanes: [lane] }).run.run()
    expect(result).toMatchObject({ ended: 'error', error: { code: 'bug' } })
    expect(result.tally.found).toBe(4)
    expect(balances(result)).toBe(true)
    expect(result.tally.skipped.interrupted).toBeGreaterThan(0)
  })

  it('comes with an error that would meet every asset', async () => {
    const fatal = { code: 'destination-full', message: 'No room.' } as const
    const lane = fakeLane(twoBatches, async (batch) => ({ ...storedAll(batch), fatal }))
    const result = await runOver({ lanes: [lane] }).run.run()
    expect(result).toMatchObject({ ended: 'error', error: { code: 'destination-full' } })
    expect(balances(result)).toBe(true)
  })

  it('comes with sources that can not be listed any further', async () => {
    const tasks = function* (): Generator<FolderTask> {
      yield folderTask('/a')
      throw new LuminaError('io', 'The list is gone.')
    }
    const lane = fakeLane(async () => scanned({ batches: [batchOf('/a', ['a.jpg'])] }))
    const result = await runOver({ lanes: [lane], tasks: tasks() }).run.run()
    expect(result).toMatchObject({ ended: 'error', error: { code: 'io' } })
    expect(balances(result)).toBe(true)
  })

  it('accounts for every file, whenever and however it comes', async () => {
    const outcome = fc.constantFrom('stored', 'throws', 'fatal', 'stops' as const)
    const world = fc.record({
      lanes: fc.integer({ min: 1, max: 3 }),
      batches: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }),
      outcomes: fc.array(outcome, { minLength: 1, maxLength: 12 }),
      stopAfter: fc.integer({ min: 0, max: 30 }),
    })
    await fc.assert(
      fc.asyncProperty(world, async ({ lanes, batches, outcomes, stopAfter }) => {
        let jobs = 0
        const work: LaneClient['work'] = async (batch) => {
          const outcome = outcomes[jobs++ % outcomes.length]
          if (jobs > stopAfter) run.stop('interrupted')
          await Promise.resolve()
          if (outcome === 'throws') throw new Error('a bug')
          if (outcome === 'fatal')
            return { ...storedAll(batch), fatal: { code: 'destination-refused', message: 'No.' } }
          if (outcome === 'stops') run.stop('limit')
          return storedAll(batch)
        }
        const files = batches.map((count, at) =>
          batchOf(
            `/${at}`,
            Array.from({ length: count }, (_, each) => `${each}.jpg`),
          ),
        )
        const scan: LaneClient['scan'] = async () => scanned({ batches: files.splice(0) })
        const clients = Array.from({ length: lanes }, () => fakeLane(scan, work))
        const { run } = runOver({ lanes: clients })
        const result = await run.run()
        expect(balances(result)).toBe(true)
        expect(result.tally.found).toBe(batches.reduce((sum, count) => sum + count, 0))
      }),
    )
  })
})

async function settleWithFakeTimers(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

describe('what a run tells', () => {
  const failed = (path: string): Report => ({
    tally: { ...emptyTally(), found: 1, failed: 1 },
    events: [{ event: 'failed', path, bytes: 1, code: 'unreadable', message: 'No.' }],
  })

  it('keeps failures by name, as many as a person can read, and emits all of them', async () => {
    const lane = fakeLane(
      async () => scanned({ batches: Array.from({ length: 1005 }, (_, at) => batchOf('/a', [`${at}.jpg`])) }),
      async (batch) => failed(namesOf(batch)[0] as string),
    )
    const { run, events } = runOver({ lanes: [lane] })
    const result = await run.run()
    expect(result.failures).toHaveLength(1000)
    expect(events.filter(({ event }) => event === 'failed')).toHaveLength(1005)
  })

  it('counts what waits as found, and knows when the walk is over', async () => {
    const gate = Promise.withResolvers<void>()
    const lane = fakeLane(
      async () => scanned({ batches: [batchOf('/a', ['1.jpg', '2.jpg'])] }),
      async (batch) => {
        await gate.promise
        return storedAll(batch)
      },
    )
    const { run } = runOver({ lanes: [lane] })
    expect(run.progress()).toMatchObject({ found: 0, walked: false })
    const ended = run.run()
    await settle()
    expect(run.progress()).toMatchObject({ found: 2, foundBytes: 20, uploaded: 0, walked: true, current: '/a/1.jpg' })
    gate.resolve()
    await ended
    expect(run.progress()).toMatchObject({ found: 2, uploaded: 2, uploadedBytes: 20, walked: true })
  })

  it('adds up what lanes have on the wire', () => {
    const shared = createShared(2)
    shared.sentBytes.set([5, 7])
    const { run } = runOver({ lanes: [fakeLane(async () => scanned())], parts: { shared } })
    expect(run.progress().inFlightBytes).toBe(12)
    requestStop(shared, 'limit')
    run.retried()
    expect(run.progress().retries).toBe(1)
  })
})
