import { rmSync } from 'node:fs'

import type { Contender, Target, Trial } from './contender.ts'
import { measure, prepare, type Usage } from './measure.ts'
import { isInstalled } from './peers.ts'
import { freshRoom, type Place } from './places.ts'
import { defaultRuns, type Workbench } from './workbench.ts'

/** A peer to be measured against. It is made when its turn comes, as some need a first copy before. */
export interface Rival {
  readonly tool: string
  readonly target: Target
  make(): Contender | Promise<Contender>
}

export interface Comparison {
  readonly lumina: string
  readonly peer: string
  readonly besides: string
  readonly target: Target
  /** One pair a place: `ours[i]` ran right before `theirs[i]`. */
  readonly ours: readonly Usage[]
  readonly theirs: readonly Usage[]
  /** Why there is no figure: `notInstalled`, or whose run failed and how. */
  readonly void?: string
}

export const notInstalled = 'not installed'

/** Each rival against us: A B A B ..., so that whatever else the machine does meets both. */
export async function compareAll(
  bench: Workbench,
  place: Place,
  ours: Contender,
  rivals: readonly Rival[],
): Promise<Comparison[]> {
  const comparisons: Comparison[] = []
  for (const rival of rivals) comparisons.push(await compareWith(bench, place, ours, rival))
  return comparisons
}

async function compareWith(bench: Workbench, place: Place, ours: Contender, rival: Rival): Promise<Comparison> {
  const nobody = { lumina: ours.name, peer: rival.tool, besides: '', target: rival.target, ours: [], theirs: [] }
  if (!isInstalled(rival.tool)) return { ...nobody, void: notInstalled }
  try {
    return await runPairs(bench, place, ours, await rival.make(), rival.target)
  } catch (error) {
    return { ...nobody, void: error instanceof Error ? error.message : String(error) }
  }
}

async function runPairs(
  bench: Workbench,
  place: Place,
  ours: Contender,
  theirs: Contender,
  target: Target,
): Promise<Comparison> {
  const usages: { ours: Usage[]; theirs: Usage[] } = { ours: [], theirs: [] }
  const whole = { lumina: ours.name, peer: theirs.name, besides: theirs.besides, target, ...usages }
  const runs = bench.options.runs ?? defaultRuns
  for (let run = 1; run <= runs; run++) {
    bench.log(`${ours.name} and ${theirs.name}, pair ${run} of ${runs}`)
    for (const side of ['ours', 'theirs'] as const) {
      const result = await runOnce(bench, place, side === 'ours' ? ours : theirs)
      if (typeof result === 'string') return { ...whole, void: result }
      usages[side].push(result)
    }
  }
  return whole
}

/** One run with everything fresh, or why it doesn't count. */
async function runOnce(bench: Workbench, place: Place, contender: Contender): Promise<Usage | string> {
  const room = freshRoom(place)
  try {
    const trial = await contender.trial(room, bench)
    await settle(bench, place, room)
    const { usage, failure } = await measure(trial.command, { room, home: bench.home })
    const fault = failure ?? trial.fault?.()
    return fault === undefined ? forOnce(usage, trial) : `${contender.name}: ${fault}`
  } finally {
    rmSync(room, { recursive: true, force: true })
  }
}

/** What the run before left in the cache is written out first, so that nobody pays for another's bytes. */
async function settle(bench: Workbench, place: Place, room: string): Promise<void> {
  if (!place.inMemory) await prepare({ program: 'sync', args: [] }, { room, home: bench.home })
}

function forOnce(usage: Usage, { repeats = 1, idealCores = 1 }: Trial): Usage {
  const { wallSeconds, cpuSeconds, ...memory } = usage
  const cpu = cpuSeconds === undefined ? {} : { cpuSeconds: cpuSeconds / repeats }
  return { wallSeconds: wallSeconds / repeats / idealCores, ...cpu, ...memory }
}
