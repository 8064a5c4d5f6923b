import { createHash } from 'node:crypto'

import type { CallContext, Destination, Key, ResumeToken, Sha256, Source } from '../client/destination.ts'
import { endsRun, LuminaError } from '../errors.ts'
import type { Ledger } from '../state/ledger.ts'
import { isoOf } from './catalog-entry.ts'
import type { Item } from './item.ts'
import { unknownKind } from './outcomes.ts'
import { heldSource, withSource, type FileSource, type Notes } from './source.ts'

export interface TransferContext {
  destination: Destination
  ledger: Ledger
  url: string
  nowMs: () => number
  call: (item: Item) => CallContext
}

/** Reads a file whole for its digest alone. */
export async function digestFile(item: Item, ctx: TransferContext): Promise<Sha256> {
  return withSource(item.file, item.kind ?? unknownKind, undefined, async (source) =>
    source.finishHash(() => ctx.call(item).checkpoint()),
  )
}

/**
 * Sends a file's bytes and takes its digest in the same pass; they have no name yet. A transfer of this very file that was begun
 * before goes on where the destination says it stopped.
 */
export async function stage(item: Item, key: Key, ctx: TransferContext): Promise<void> {
  const resumable = ctx.destination.resumable as NonNullable<Destination['resumable']>
  const call = ctx.call(item)
  const { path, stamp } = item.file
  const remembers = stamp.bytes >= resumable.minBytes
  await withSource(
    item.file,
    item.kind ?? unknownKind,
    item.digest,
    async (source) => {
      const begun = remembers ? resumableAs(key, ctx.ledger.transfer(path, ctx.url, stamp), ctx) : undefined
      let offset = begun && (await resumable.offset(begun, source, call))
      const token = begun && offset !== undefined ? begun : await begin(item, key, source, ctx)
      item.staged = token
      offset ??= 0
      while (offset < stamp.bytes) {
        const held: number = await resumable.append(token, source, offset, call)
        if (held <= offset)
          throw new LuminaError('io', `${ctx.destination.name} takes no more of ${path}.`, { retry: 'transient' })
        offset = held
      }
      item.digest = source.finishHash(() => call.checkpoint())
    },
    notesOf(item),
  )
}

function notesOf({ member, taken }: Item): Notes {
  return { name: member.name, ...(taken === undefined ? {} : { takenAt: isoOf(taken) }) }
}

/** Where a transfer is begun under its name, it can't go on under another. */
function resumableAs(
  key: Key,
  token: ResumeToken | undefined,
  { destination }: TransferContext,
): ResumeToken | undefined {
  return destination.traits.keyAtFinish || token?.['key'] === key ? token : undefined
}

async function begin(item: Item, key: Key, source: FileSource, ctx: TransferContext): Promise<ResumeToken> {
  const resumable = ctx.destination.resumable as NonNullable<Destination['resumable']>
  const { path, stamp } = item.file
  // begun when the file was another, or half gone: nothing goes on from there
  const outdated = begunOf(item, ctx)
  if (outdated) {
    await resumable.abort(outdated, ctx.call(item))
    ctx.ledger.finish(path, ctx.url)
  }
  const token = await resumable.begin(key, source, ctx.call(item))
  if (stamp.bytes >= resumable.minBytes) ctx.ledger.begin(path, ctx.url, stamp, token, ctx.nowMs())
  return token
}

/** What an earlier run has begun of this file, whatever it was then. */
function begunOf({ file }: Item, ctx: TransferContext): ResumeToken | undefined {
  return ctx.ledger.transfers(ctx.url).find(({ path }) => path === file.path)?.token
}

/** Stores a content that the lane holds, if the destination can without a wait; false when `store` has to. */
export function storeHeld({ held, file }: Item, key: Key, { destination }: TransferContext): boolean {
  if (!held || !destination.putHeld) return false
  try {
    destination.putHeld(key, held, file.stamp.mtimeUs / 1000)
    return true
  } catch (error) {
    if (error instanceof LuminaError && error.retry === 'transient') return false
    throw error
  }
}

/** Gives the content its name: from what is staged, from the lane's buffer, or straight from the file. */
export async function store(item: Item, key: Key, ctx: TransferContext): Promise<void> {
  const { destination } = ctx
  const call = ctx.call(item)
  const digest = item.digest as Sha256
  const { bytes, mtimeUs } = item.file.stamp
  const resumable = destination.resumable
  if (item.held) {
    await destination.put(
      key,
      heldSource(item.held, item.kind ?? unknownKind, mtimeUs / 1000, digest, notesOf(item)),
      call,
    )
    return
  }
  if (resumable && !item.staged && bytes >= resumable.minBytes) await stage(item, key, ctx)
  if (resumable && item.staged) {
    await resumable.finish(item.staged, key, described(item), call)
    item.staged = undefined
    ctx.ledger.finish(item.file.path, ctx.url)
    return
  }
  const put = (source: FileSource): Promise<unknown> => destination.put(key, source, call)
  await withSource(item.file, item.kind ?? unknownKind, digest, put, notesOf(item))
}

/** Lets go of staged bytes that are not needed, an earlier run's too, or keeps them for another day. */
export async function unstage(item: Item, keep: boolean, ctx: TransferContext): Promise<void> {
  const { resumable } = ctx.destination
  const mayResume = resumable !== undefined && item.file.stamp.bytes >= resumable.minBytes
  if (!resumable || (keep && mayResume)) return
  const token = item.staged ?? (mayResume ? begunOf(item, ctx) : undefined)
  if (!token) return
  item.staged = undefined
  try {
    await resumable.abort(token, ctx.call(item))
  } catch (error) {
    // what can't be let go now is nobody's failure: it is swept one day, or goes on
    if (endsRun(error)) throw error
    return
  }
  ctx.ledger.finish(item.file.path, ctx.url)
}

/** What lies under `key`: this very content, another, or nothing that we are shown. */
export async function compare(key: Key, item: Item, ctx: TransferContext): Promise<'same' | 'other' | 'unseen'> {
  const { destination } = ctx
  const call = ctx.call(item)
  const there = await destination.stat(key, call)
  if (!there) return 'unseen'
  if (there.bytes !== item.file.stamp.bytes) return 'other'
  const digest = there.digest ?? (await storedDigest(destination, key, call))
  if (digest === undefined) return 'unseen'
  return digest === item.digest ? 'same' : 'other'
}

/** Reads back what is stored, and hashes it; undefined when it can't be read. */
export async function storedDigest(destination: Destination, key: Key, call: CallContext): Promise<Sha256 | undefined> {
  if (!destination.get) return undefined
  const sha256 = createHash('sha256')
  try {
    for await (const chunk of destination.get(key, 0, call)) {
      call.checkpoint()
      sha256.update(chunk)
    }
  } catch (error) {
    if (error instanceof LuminaError && error.code === 'not-found') return undefined
    throw error
  }
  return sha256.digest('hex')
}

/** A source for what is already at the destination: its bytes are not asked for again. */
function described(item: Item): Source {
  const { bytes, mtimeUs } = item.file.stamp
  return {
    bytes,
    kind: item.kind ?? unknownKind,
    modifiedMs: mtimeUs / 1000,
    ...(item.digest === undefined ? {} : { digest: item.digest }),
    read() {
      throw new LuminaError('bug', 'A finished transfer was read again.')
    },
  }
}
