import type { Sha256 } from '../client/destination.ts'
import type { Kind, LuminaEvent, NotStoredReason, SkipReason } from '../events.ts'
import type { FileStamp } from '../state/ledger.ts'
import type { IgnoreFile } from './filters.ts'

/** A folder to be walked, or some files of it. Plain data: tasks go from lane to lane. */
export interface FolderTask {
  /** Absolute. */
  path: string
  /** Below the source argument, `/`-separated, '' at its top. */
  dir: string
  ignores: readonly IgnoreFile[]
  /** Only these names, instead of all that lie there. */
  only?: readonly string[]
  /** Folders above, as `dev:inode`: followed links that lead back to one of them end there. */
  above?: readonly string[]
  /** A folder too large for one task goes on after this name, in the lane that has its names spooled. */
  after?: string
}

/** One file that a folder's walk found. */
export interface Member {
  name: string
  stamp: FileStamp
  /** What the ledger remembers of this very file. */
  kind?: Kind
  digest?: Sha256
  /** The places that the ledger knows to store it: bits of `Seen.stored`. */
  places?: number
  /** Already stored, and counted: it is here for the name that it gives its companions. */
  stored?: true
}

/** Files of one folder to be looked at together. The members of a group share their stem, and so their counter. */
export interface Batch {
  folder: { path: string; dir: string; ledgerPath: string; stableInodes: boolean }
  groups: PackedGroups
  files: number
  bytes: number
}

/**
 * Members as one string and three arrays: a batch crosses two thread borders, and cloning an object a member cost more than
 * reading the file (5 µs each way).
 */
export interface PackedGroups {
  /** All names, each ended by NUL, which no name holds. */
  names: string
  /** Per member: bytes, mtime, ctime, inode. */
  stamps: Float64Array
  /** How many members each group has. */
  sizes: Uint32Array
  /** What the ledger remembered, for the members of which it did. */
  memories: [member: number, memory: Omit<Member, 'name' | 'stamp'>][]
}

const numbersAStamp = 4

export function packGroups(groups: readonly (readonly Member[])[]): PackedGroups {
  const members = groups.flat()
  const stamps = new Float64Array(members.length * numbersAStamp)
  const memories: PackedGroups['memories'] = []
  let names = ''
  for (let at = 0; at < members.length; at++) {
    const { name, stamp, ...memory } = members[at] as Member
    names += `${name}\0`
    stamps[at * numbersAStamp] = stamp.bytes
    stamps[at * numbersAStamp + 1] = stamp.mtimeUs
    stamps[at * numbersAStamp + 2] = stamp.ctimeUs
    stamps[at * numbersAStamp + 3] = stamp.inode
    if (memory.kind !== undefined) memories.push([at, memory])
  }
  return { names, stamps, sizes: Uint32Array.from(groups, ({ length }) => length), memories }
}

export function unpackGroups({ names, stamps, sizes, memories }: PackedGroups): Member[][] {
  const memoryOf = new Map(memories)
  const nameOf = names.split('\0')
  let at = 0
  return Array.from(sizes, (size) => {
    const members: Member[] = []
    for (const end = at + size; at < end; at++) {
      const memory = memoryOf.get(at)
      const member = { name: nameOf[at] as string, stamp: stampAt(stamps, at * numbersAStamp) }
      members.push(memory ? { ...member, ...memory } : member)
    }
    return members
  })
}

function stampAt(stamps: Float64Array, at: number): FileStamp {
  return {
    bytes: stamps[at] as number,
    mtimeUs: stamps[at + 1] as number,
    ctimeUs: stamps[at + 2] as number,
    inode: stamps[at + 3] as number,
  }
}

/** How many assets came to which end, for those that nobody wants to hear of one by one. */
export interface Tally {
  found: number
  foundBytes: number
  /** Uploaded, verified or indexed, as the task has it. */
  uploaded: number
  uploadedBytes: number
  skipped: Partial<Record<SkipReason, number>>
  notStored: Partial<Record<NotStoredReason, number>>
  failed: number
  lyingExtensions: number
  datedByMtime: number
}

export function emptyTally(): Tally {
  return {
    found: 0,
    foundBytes: 0,
    uploaded: 0,
    uploadedBytes: 0,
    skipped: {},
    notStored: {},
    failed: 0,
    lyingExtensions: 0,
    datedByMtime: 0,
  }
}

export function addTally(sum: Tally, more: Tally): void {
  sum.found += more.found
  sum.foundBytes += more.foundBytes
  sum.uploaded += more.uploaded
  sum.uploadedBytes += more.uploadedBytes
  sum.failed += more.failed
  sum.lyingExtensions += more.lyingExtensions
  sum.datedByMtime += more.datedByMtime
  addCounts(sum.skipped, more.skipped)
  addCounts(sum.notStored, more.notStored)
}

function addCounts<Reason extends string>(
  sum: Partial<Record<Reason, number>>,
  more: Partial<Record<Reason, number>>,
): void {
  for (const reason of Object.keys(more) as Reason[]) count(sum, reason, more[reason])
}

export function count<Reason extends string>(counts: Partial<Record<Reason, number>>, reason: Reason, more = 1): void {
  counts[reason] = (counts[reason] ?? 0) + more
}

export function sumOf(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((sum, each = 0) => sum + each, 0)
}

/** What a lane answers: counts for everything, events for what somebody wants to hear. */
export interface Report {
  tally: Tally
  events: LuminaEvent[]
  /** Bytes that `SharedState.sentBytes` counted for what is reported here. */
  sentBytes?: number
}

export interface Scanned extends Report {
  folders: FolderTask[]
  batches: Batch[]
  /** What is left of folders too large for one task, for the same lane. */
  rests: FolderTask[]
}
