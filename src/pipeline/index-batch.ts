import type { Claim, ClaimAnswer } from '../client/destination.ts'
import { endsRun, LuminaError, reportOf } from '../errors.ts'
import { classOf, isPhoto } from '../hash/kinds.ts'
import type { Batch } from './batch.ts'
import { catalogEntry } from './catalog-entry.ts'
import { inspect, type Arena } from './inspect.ts'
import { itemsOf, type Item } from './item.ts'
import { Outcomes, unknownKind } from './outcomes.ts'
import { digestFile } from './transfer.ts'
import { heldPauseMs, isStop, type WorkContext, type Worked } from './work.ts'

/** Takes objects that lie in a library into its catalog, under the keys that they have; the objects are only read. */
export async function indexBatch(batch: Batch, arena: Arena, ctx: WorkContext): Promise<Worked> {
  const outcomes = new Outcomes(ctx.options)
  const items = itemsOf(batch)
  let fatal: Worked['fatal']
  try {
    for (const item of items) await indexItem(item, batch.folder.dir, arena, outcomes, ctx)
  } catch (error) {
    fatal = reportOf(error)
    for (const item of items) if (!item.done) outcomes.skipped(item.found, 'interrupted')
  }
  arena.clear()
  const { tally, events } = outcomes
  return { tally, events, ...(fatal ? { fatal } : {}) }
}

async function indexItem(item: Item, dir: string, arena: Arena, outcomes: Outcomes, ctx: WorkContext): Promise<void> {
  ctx.checkpoint()
  try {
    await inspect(item, arena, ctx.heldBytes, ctx.options.allFiles)
    const photoBeside = item.group.some((other) => other !== item && isPhoto(other.kind))
    item.sidecar = classOf(item.kind ?? unknownKind) === 'sidecar' && photoBeside
    if (!ctx.options.allFiles && !isPhoto(item.kind) && !item.sidecar) outcomes.skipped(item.found, 'not-a-photo')
    else await take(item, dir, outcomes, ctx)
  } catch (error) {
    if (isStop(error) || endsRun(error)) throw error
    outcomes.failed(item.found, error)
  }
  item.done = true
}

async function take(item: Item, dir: string, outcomes: Outcomes, ctx: WorkContext): Promise<void> {
  const key = dir === '' ? item.member.name : `${dir}/${item.member.name}`
  if (!key.isWellFormed())
    throw new LuminaError('key-invalid', `${item.file.path} has a name that is not UTF-8, so no key can name it.`)
  const digest = (item.digest ??= await digestFile(item, ctx))
  const claim: Claim = { key, digest, sidecar: item.sidecar }
  let answer = await decided(claim, ctx)
  if (answer.answer === 'key-taken') {
    // the catalog remembers what lay here before: the file itself is the truth
    await ctx.catalog.forget([key])
    answer = await decided(claim, ctx)
  }
  if (answer.answer === 'known') return outcomes.skipped(item.found, 'already-there', answer.key)
  if (answer.answer !== 'granted')
    throw new LuminaError('key-taken', `Another run is storing something else as ${item.file.path}.`)
  await ctx.catalog.record([catalogEntry(item, claim)])
  outcomes.indexed(item.found, key, digest)
}

/** Waits for what holds the content: mostly a twin of it, in another batch of this run. */
async function decided(claim: Claim, ctx: WorkContext): Promise<ClaimAnswer> {
  for (let pauseMs = heldPauseMs.first; ; pauseMs = Math.min(pauseMs * 2, heldPauseMs.longest)) {
    const [answer] = await ctx.catalog.claim([claim])
    if (answer && answer.answer !== 'held') return answer
    await ctx.sleep(pauseMs)
    ctx.checkpoint()
  }
}
