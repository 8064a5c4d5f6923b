import { fourCC, indexOf, latin1, u32be, u32le } from '../hash/bytes.ts'
import { type Exif, exifOfTiff } from './exif.ts'
import { parseTakenAt, type TakenAt } from './taken-at.ts'
import type { Window } from './window.ts'

const EXTENDED = fourCC('VP8X')
const HAS_EXIF = 0x08
const EXIF = fourCC('EXIF')
const MARK = fourCC('Exif')

/**
 * The Exif of a WebP, a chunk that stands behind the picture and is announced in front of it.
 * https://developers.google.com/speed/webp/docs/riff_container
 */
export function exifOfWebp(window: Window): Exif | undefined {
  const first = window.read(12, 9)
  if (u32be(first, 0) !== EXTENDED || ((first[8] ?? 0) & HAS_EXIF) === 0) return undefined
  for (let at = 12; ;) {
    const header = window.read(at, 12)
    if (header.length < 12) return undefined
    // Some writers put JPEG's mark in front.
    if (u32be(header, 0) === EXIF) return exifOfTiff(window, at + 8 + (u32be(header, 8) === MARK ? 6 : 0))
    const size = u32le(header, 4)
    at += 8 + size + (size & 1)
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const C_TIME = /^\s*(?:[a-z]{3}\s+)?([a-z]{3})\s+(\d{1,2})\s+(\d\d:\d\d:\d\d)\s+(\d{4})/i

/** When an AVI was recorded: a camera's IDIT, as C prints a time (`Mon Mar 10 15:04:43 2003`) or as Exif does. */
export function takenAtOfAvi(head: Uint8Array): TakenAt | undefined {
  const at = indexOf(head, 'IDIT')
  if (at === -1) return undefined
  const text = latin1(head, at + 8, at + 8 + Math.min(u32le(head, at + 4), 64))
  const [, month = '', day = '', time = '', year = ''] = C_TIME.exec(text) ?? []
  const number = MONTHS.findIndex((name) => name.toLowerCase() === month.toLowerCase()) + 1
  if (number === 0) return parseTakenAt(text)
  return parseTakenAt(`${year}:${String(number).padStart(2, '0')}:${day.padStart(2, '0')} ${time}`)
}
