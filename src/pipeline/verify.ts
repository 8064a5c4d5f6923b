import { endsRun, reportOf } from '../errors.ts'
import { classOf, isPhoto } from '../hash/kinds.ts'
import type { Batch } from './batch.ts'
import { inspect, type Arena } from './inspect.ts'
import { itemsOf, type Item } from './item.ts'
import { Outcomes, unknownKind } from './outcomes.ts'
import { digestFile, storedDigest } from './transfer.ts'
import { isStop, type WorkContext, type Worked } from './work.ts'

/** What is stored far away is read side by side: most of the time of a small file is the way there and back. */
const readAtOnce = 8

/**
 * Reads each source file, and what is stored of it, and compares; remembered digests count for nothing. What turns out to be
 * missing or rotten is dropped from the catalog, so that the next upload heals it.
 */
export async function verifyBatch(batch: Batch, arena: Arena, ctx: WorkContext): Promise<Worked> {
  const outcomes = new Outcomes(ctx.options)
  const items = itemsOf(batch)
  const result: Worked = outcomes
  const spoilt: string[] = []
  try {
    await eachItem(items, outcomes, ctx, async (item) => {
      await inspect(item, arena, ctx.heldBytes, ctx.options.allFiles)
    })
    for (const item of items)
      if (!item.done && !isWanted(item, ctx)) settle(item, () => outcomes.notStored(item.found, 'not-a-photo'))
    await eachItem(items, outcomes, ctx, async (item) => {
      item.digest ??= await digestFile(item, ctx)
    })
    const open = items.filter(({ done }) => !done)
    const located = await ctx.catalog.located(open.map(({ digest }) => digest as string))
    const queue = open.values()
    const some = (): Promise<void> =>
      eachItem(queue, outcomes, ctx, (item) => compare(item, located.get(item.digest as string), spoilt, outcomes, ctx))
    await Promise.all(Array.from({ length: Math.min(readAtOnce, open.length) }, some))
    if (spoilt.length > 0) await ctx.catalog.forget(spoilt)
  } catch (error) {
    result.fatal = reportOf(error)
    const reason = result.fatal.code === 'limit' ? 'limit' : 'interrupted'
    for (const item of items) if (!item.done) settle(item, () => outcomes.notStored(item.found, reason))
  }
  arena.clear()
  const { tally, events } = outcomes
  return { tally, events, ...(result.fatal ? { fatal: result.fatal } : {}) }
}

function isWanted(item: Item, ctx: WorkContext): boolean {
  if (ctx.options.allFiles || isPhoto(item.kind)) return true
  return classOf(item.kind ?? unknownKind) === 'sidecar' && item.group.some(({ kind }) => isPhoto(kind))
}

async function compare(
  item: Item,
  key: string | undefined,
  spoilt: string[],
  outcomes: Outcomes,
  ctx: WorkContext,
): Promise<void> {
  if (key === undefined) return settle(item, () => outcomes.notStored(item.found, 'unknown'))
  const digest = item.digest as string
  if (!ctx.options.quick) {
    const stored = await storedDigest(ctx.destination, key, ctx.call(item))
    if (stored !== digest) {
      spoilt.push(key)
      return settle(item, () => outcomes.notStored(item.found, stored === undefined ? 'missing' : 'rotten', { key }))
    }
  }
  settle(item, () => outcomes.verified(item.found, key, digest))
}

function settle(item: Item, tell: () => void): void {
  tell()
  item.done = true
}

async function eachItem(
  items: Iterable<Item>,
  outcomes: Outcomes,
  ctx: WorkContext,
  step: (item: Item) => Promise<void>,
): Promise<void> {
  for (const item of items) {
    if (item.done) continue
    ctx.checkpoint()
    try {
      await step(item)
    } catch (error) {
      if (isStop(error) || endsRun(error)) throw error
      settle(item, () => outcomes.failed(item.found, error))
    }
  }
}
