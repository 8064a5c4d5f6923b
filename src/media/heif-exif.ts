import { u16be, u32be, u64be } from '../hash/bytes.ts'
import { type Box, boxesIn, boxIn, boxType } from './boxes.ts'
import { type Exif, exifOfTiff } from './exif.ts'
import type { Window } from './window.ts'

const META = boxType('meta')
const ITEM_INFO = boxType('iinf')
const ITEM_INFO_ENTRY = boxType('infe')
const ITEM_LOCATION = boxType('iloc')
const EXIF = boxType('Exif')

/**
 * The Exif item of a HEIC or AVIF, wherever in the file it lies: the item table names it, the location table says where.
 * ISO/IEC 23008-12, annex A.2.1; ISO/IEC 14496-12, sections 8.11.3 and 8.11.6.
 */
export function exifOfHeif(window: Window): Exif | undefined {
  const meta = boxIn(window, META, 0)
  if (meta === undefined) return undefined
  const tables = [...boxesIn(window, meta.start + 4, meta.end)]
  const items = tables.find(({ type }) => type === ITEM_INFO)
  const locations = tables.find(({ type }) => type === ITEM_LOCATION)
  const id = items && exifItem(window, items)
  const at = id === undefined || locations === undefined ? undefined : locationOf(bytesOf(window, locations), id)
  return at === undefined ? undefined : exifOfItem(window, at)
}

/** The item begins with how far behind its own four bytes the TIFF header stands. */
export function exifOfItem(window: Window, at: number): Exif | undefined {
  return exifOfTiff(window, at + 4 + u32be(window.read(at, 4), 0))
}

function exifItem(window: Window, items: Box): number | undefined {
  const isShort = window.read(items.start, 1)[0] === 0
  for (const { type, start } of boxesIn(window, items.start + (isShort ? 6 : 8), items.end)) {
    if (type !== ITEM_INFO_ENTRY) continue
    const entry = window.read(start, 14)
    const isLong = entry[0] === 3
    if (u32be(entry, isLong ? 10 : 8) === EXIF) return isLong ? u32be(entry, 4) : u16be(entry, 4)
  }
  return undefined
}

function bytesOf(window: Window, { start, end }: Box): Uint8Array {
  return window.read(start, end - start)
}

/** Where an item's first extent lies in the file; undefined for one that is kept elsewhere (`idat`, another item). */
function locationOf(table: Uint8Array, wanted: number): number | undefined {
  const version = table[0] ?? 0
  const [offsetBytes, lengthBytes] = nibbles(table[4] ?? 0)
  const [baseBytes, indexBytes] = nibbles(table[5] ?? 0)
  const idBytes = version < 2 ? 2 : 4
  const count = number(table, 6, idBytes)
  let at = 6 + idBytes
  for (let n = 0; n < count && at < table.length; n++) {
    const id = number(table, at, idBytes)
    const method = version === 0 ? 0 : u16be(table, at + idBytes) & 0xf
    at += idBytes + (version === 0 ? 0 : 2) + 2
    const base = number(table, at, baseBytes)
    const extents = u16be(table, at + baseBytes)
    const first = at + baseBytes + 2 + (version === 0 ? 0 : indexBytes)
    if (id === wanted) return method === 0 && extents > 0 ? base + number(table, first, offsetBytes) : undefined
    at += baseBytes + 2 + extents * ((version === 0 ? 0 : indexBytes) + offsetBytes + lengthBytes)
  }
  return undefined
}

const nibbles = (byte: number): [high: number, low: number] => [byte >> 4, byte & 0xf]

function number(table: Uint8Array, at: number, bytes: number): number {
  if (bytes === 8) return u64be(table, at)
  if (bytes === 4) return u32be(table, at)
  return bytes === 2 ? u16be(table, at) : 0
}
