import { fourCC, u16be, u32, u32be } from './bytes.ts'
import type { Kind } from './kinds.ts'
import { directoryAt, entryOf } from './tiff.ts'

const MPF = fourCC('MPF\0')
const APP2 = 0xe2
const START_OF_SCAN = 0xda
const MP_ENTRY = 0xb002
const MP_ENTRY_BYTES = 16

/**
 * Calls `visit(marker, start, end)` for each marker segment before the scan, with its payload's bounds, until it returns true.
 * `end` may lie beyond the head.
 */
function eachSegment(head: Uint8Array, visit: (marker: number, start: number, end: number) => boolean): void {
  for (let at = 2; at + 4 <= head.length && head[at] === 0xff;) {
    const marker = head[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    const end = at + 2 + u16be(head, at + 2)
    if (marker === START_OF_SCAN || visit(marker, at + 4, end)) return
    at = end
  }
}

/**
 * `image/mpo` when the multi-picture index says that its pictures are views of one scene (panorama, stereo pair, multi-angle),
 * else `image/jpeg`: gain maps and large previews have such an index too. The index stands after Exif, so a head of 64 KiB
 * finds it and one of 4 KiB seldom does. CIPA DC-007, section 5.2.3.3.
 */
export function jpegKind(head: Uint8Array): Kind {
  let index = -1
  eachSegment(head, (marker, start) => {
    if (marker === APP2 && u32be(head, start) === MPF) index = start + 4
    return index !== -1
  })
  return index !== -1 && hasViews(head, index) ? 'image/mpo' : 'image/jpeg'
}

function hasViews(head: Uint8Array, tiff: number): boolean {
  const little = head[tiff] === 0x49
  const entries = entryOf(directoryAt(head, tiff, u32(head, tiff + 4, little), little), MP_ENTRY)
  if (entries === -1) return false
  const second = tiff + u32(head, entries + 8, little) + MP_ENTRY_BYTES
  return ((u32(head, second, little) >>> 16) & 0xff) === 2
}
