import { fourCC, u32be, u64be } from '../hash/bytes.ts'
import type { Window } from './window.ts'

/** A box of an ISO base media file or an atom of QuickTime: its type and where its content lies. */
export interface Box {
  readonly type: number
  readonly start: number
  readonly end: number
}

export const boxType = fourCC

/** The boxes from `start` to `end`, or to the end of the file: ISO/IEC 14496-12, section 4.2. A size that can't be ends them. */
export function* boxesIn(window: Window, start: number, end = Number.MAX_SAFE_INTEGER): Generator<Box> {
  for (let at = start; at + 8 <= end;) {
    const header = window.read(at, 16)
    if (header.length < 8) return
    const size = sizeOf(header, end - at)
    const contentAt = u32be(header, 0) === 1 ? 16 : 8
    if (size < contentAt) return
    yield { type: u32be(header, 4), start: at + contentAt, end: Math.min(at + size, end) }
    at += size
  }
}

/** The first box of a type, or undefined. */
export function boxIn(window: Window, type: number, start: number, end?: number): Box | undefined {
  for (const box of boxesIn(window, start, end)) if (box.type === type) return box
  return undefined
}

/** A size of 1 means that 64 bits follow, 0 that the box goes to the end. */
function sizeOf(header: Uint8Array, rest: number): number {
  const size = u32be(header, 0)
  if (size === 1) return u64be(header, 8)
  return size === 0 ? rest : size
}
