import { latin1, u16, u32le } from '../hash/bytes.ts'
import type { Exif } from './exif.ts'
import { takenAtUnix } from './taken-at.ts'
import type { Window } from './window.ts'

/** Record tags: https://exiftool.org/TagNames/CanonRaw.html. */
const TAG = { makeModel: 0x080a, camera: 0x2807, image: 0x300a, timeStamp: 0x180e } as const

const ENTRY_BYTES = 10

interface Heap {
  readonly start: number
  readonly end: number
}

/**
 * What a CRW says of itself: a heap whose directory stands at its end, with heaps inside, so the file's size in bytes is
 * needed. Its time is the camera's own. https://web.archive.org/web/2014/http://xyrion.org/ciff/CIFFspecV1R04.pdf
 */
export function exifOfCrw(window: Window, bytes: number): Exif | undefined {
  const root: Heap = { start: u32le(window.read(2, 4), 0), end: bytes }
  const image = recordIn(window, root, TAG.image)
  if (image === undefined) return undefined
  const camera = recordIn(window, image, TAG.camera)
  const name = camera && recordIn(window, camera, TAG.makeModel)
  const time = recordIn(window, image, TAG.timeStamp)
  const [make = '', model = ''] = name ? latin1(window.read(name.start, 64), 0, name.end - name.start).split('\0') : []
  const seconds = time ? u32le(window.read(time.start, 4), 0) : 0
  return { takenAt: seconds === 0 ? undefined : takenAtUnix(seconds), make, model }
}

/** Where a record's content lies: a heap of its own, or bytes. */
function recordIn(window: Window, heap: Heap, wanted: number): Heap | undefined {
  const at = heap.start + u32le(window.read(heap.end - 4, 4), 0)
  const count = u16(window.read(at, 2), 0, true)
  const entries = window.read(at + 2, count * ENTRY_BYTES)
  for (let entry = 0; entry + ENTRY_BYTES <= entries.length; entry += ENTRY_BYTES) {
    if (u16(entries, entry, true) !== wanted) continue
    const start = heap.start + u32le(entries, entry + 6)
    return { start, end: start + u32le(entries, entry + 2) }
  }
  return undefined
}
