import { u16, u32 } from '../hash/bytes.ts'
import { type Directory, directoryAt, entryOf, numberOf } from '../hash/tiff.ts'
import { parseTakenAt, type TakenAt } from './taken-at.ts'
import { type Window, windowOver } from './window.ts'
import { written } from './written.ts'

/** What Exif says of a picture. */
export interface Exif {
  /** DateTimeOriginal, else DateTimeDigitized. */
  takenAt?: TakenAt | undefined
  /** DateTime of IFD0: when the file was last changed, which is the day it was taken where nothing else is known. */
  changedAt?: TakenAt | undefined
  make: string
  model: string
}

/** Exif 2.32 (CIPA DC-008), sections 4.6.4 and 4.6.5. */
const TAG = {
  make: 0x10f,
  model: 0x110,
  dateTime: 0x132,
  exifIfd: 0x8769,
  original: 0x9003,
  digitized: 0x9004,
  offset: 0x9010,
  offsetOriginal: 0x9011,
  offsetDigitized: 0x9012,
} as const

const ASCII = 2
const MAX_TEXT_BYTES = 128

const START_OF_IMAGE = 0xffd8
const START_OF_SCAN = 0xffda
const APP1 = 0xffe1
const FILL = 0xffff

/** The Exif of a TIFF structure whose header stands at `base`, whatever its magic number; undefined when there is none. */
export function exifOfTiff(window: Window, base: number): Exif | undefined {
  const header = window.read(base, 8)
  const order = u16(header, 0, false)
  if (order !== 0x4949 && order !== 0x4d4d) return undefined
  const little = order === 0x4949
  const ifd0 = directory(window, base, u32(header, 4, little), little)
  const at = numberOf(ifd0, TAG.exifIfd)
  const detail = at === undefined ? ifd0 : directory(window, base, at, little)
  const text = (ifd: Directory, tag: number): string => textAt(window, base, ifd, tag)
  const time = (ifd: Directory, tag: number, offset: number): TakenAt | undefined => {
    const written = text(ifd, tag)
    return written === '' ? undefined : parseTakenAt(written, text(detail, offset))
  }
  return {
    takenAt:
      time(detail, TAG.original, TAG.offsetOriginal) ??
      time(ifd0, TAG.original, TAG.offsetOriginal) ??
      time(detail, TAG.digitized, TAG.offsetDigitized),
    changedAt: time(ifd0, TAG.dateTime, TAG.offset),
    make: text(ifd0, TAG.make),
    model: text(ifd0, TAG.model),
  }
}

/** The Exif of the JPEG that begins at `base`: an APP1, which some phones put behind several segments of their own. */
export function exifOfJpeg(window: Window, base: number): Exif | undefined {
  if (u16(window.read(base, 2), 0, false) !== START_OF_IMAGE) return undefined
  for (let at = base + 2; ;) {
    const header = window.read(at, 10)
    const marker = u16(header, 0, false)
    if (marker <= 0xff00 || marker === START_OF_SCAN) return undefined
    const length = u16(header, 2, false)
    if (marker === APP1 && isExif(header)) return exifOfTiff(windowOver(window.read(at + 10, length - 8)), 0)
    at += marker === FILL ? 1 : 2 + length
  }
}

/** `Exif` and two zeros, of which some writers get the second wrong. */
function isExif(segment: Uint8Array): boolean {
  return u32(segment, 4, false) === 0x45786966 && segment[8] === 0
}

function directory(window: Window, base: number, offset: number, little: boolean): Directory {
  const count = u16(window.read(base + offset, 2), 0, little)
  return directoryAt(window.read(base + offset, 2 + count * 12), 0, 0, little)
}

function textAt(window: Window, base: number, ifd: Directory, tag: number): string {
  const at = entryOf(ifd, tag)
  if (at === -1 || u16(ifd.bytes, at + 2, ifd.little) !== ASCII) return ''
  const length = Math.min(u32(ifd.bytes, at + 4, ifd.little), MAX_TEXT_BYTES)
  const value =
    length <= 4 ? ifd.bytes.subarray(at + 8) : window.read(base + u32(ifd.bytes, at + 8, ifd.little), length)
  const end = value.subarray(0, length).indexOf(0)
  return written(value.subarray(0, end === -1 ? length : end))
}
