import type { CallContext, ResumeToken, Sha256 } from '../client/destination.ts'
import type { Kind } from '../events.ts'
import type { TakenAt } from './layout.ts'
import { unpackGroups, type Batch, type Member } from './batch.ts'
import { unknownKind, type Found } from './outcomes.ts'
import type { AssetFile } from './source.ts'

/** One asset on its way through a batch: each stage adds what it learns. */
export interface Item {
  readonly member: Member
  readonly file: AssetFile
  readonly group: Item[]
  found: Found
  kind: Kind | undefined
  digest: Sha256 | undefined
  /** First 16 digits of the digest of its first 4096 bytes, for files that are not held. */
  head: string | undefined
  /** Its whole content, in the lane's buffer. */
  held: Uint8Array | undefined
  taken: TakenAt | undefined
  camera: string | undefined
  /** Rides along with a photo of its group. */
  sidecar: boolean
  /** Its bytes are at the destination, without a name. */
  staged: ResumeToken | undefined
  /** Another transfer had claimed its content when it was last asked. */
  waits: boolean
  /** How much of it the destination has taken. */
  sentBytes: number
  /** Its bytes are taken off what the run may send. */
  spent: boolean
  /** How often it has changed under a look. */
  changes: number
  /** What its calls to the destination are made with. */
  call: CallContext | undefined
  /** Its outcome is told. */
  done: boolean
}

export function itemsOf(batch: Batch): Item[] {
  return unpackGroups(batch.groups).flatMap((members) => {
    const group: Item[] = []
    for (const member of members) group.push(newItem(batch, member, group))
    return group
  })
}

function newItem(batch: Batch, member: Member, group: Item[]): Item {
  const { path: folder, stableInodes } = batch.folder
  const path = `${folder === '/' ? '' : folder}/${member.name}`
  return {
    member,
    file: { path, stamp: member.stamp, stableInodes },
    group,
    found: { path, name: member.name, bytes: member.stamp.bytes, kind: member.kind ?? unknownKind },
    kind: member.kind,
    digest: member.digest,
    head: undefined,
    held: undefined,
    taken: undefined,
    camera: undefined,
    sidecar: false,
    staged: undefined,
    waits: false,
    sentBytes: 0,
    spent: false,
    changes: 0,
    call: undefined,
    done: member.stored ?? false,
  }
}
