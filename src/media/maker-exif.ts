import { fourCC, u32be, u32le } from '../hash/bytes.ts'
import { directoryAt, numberOf } from '../hash/tiff.ts'
import { boxesIn, boxIn, boxType } from './boxes.ts'
import { type Exif, exifOfJpeg, exifOfTiff } from './exif.ts'
import type { Window } from './window.ts'

/** Where a RAF keeps the offset of its JPEG, which has the Exif: https://libopenraw.freedesktop.org/formats/raf/. */
const RAF_JPEG_AT = 84

export function exifOfRaf(window: Window): Exif | undefined {
  return exifOfJpeg(window, u32be(window.read(RAF_JPEG_AT, 4), 0))
}

/** JpgFromRaw in IFD0: https://exiftool.org/TagNames/PanasonicRaw.html. */
const JPEG_FROM_RAW = 0x2e

/** An RW2 has the make in its own directory, and all of its Exif in the JPEG inside. */
export function exifOfRw2(window: Window): Exif | undefined {
  const own = exifOfTiff(window, 0)
  const at = u32le(window.read(4, 4), 0)
  const ifd0 = directoryAt(window.read(at, 4096, 2), 0, 0, true)
  const jpeg = numberOf(ifd0, JPEG_FROM_RAW)
  const inner = jpeg === undefined || own?.takenAt !== undefined ? undefined : exifOfJpeg(window, jpeg)
  return inner ?? own
}

const TIFF_BLOCK = fourCC('\0TTW')

/** An MRW is a row of named blocks, one of which is a TIFF: https://exiftool.org/TagNames/MinoltaRaw.html. */
export function exifOfMrw(window: Window): Exif | undefined {
  for (let at = 8; ;) {
    const header = window.read(at, 8)
    if (header.length < 8) return undefined
    if (u32be(header, 0) === TIFF_BLOCK) return exifOfTiff(window, at + 8)
    at += 8 + u32be(header, 4)
  }
}

const MOVIE = boxType('moov')
const UUID = boxType('uuid')
const CANON = [0x85c0b687, 0x820f11e0, 0x8111f4ce, 0x462b6a48]
const IFD0 = boxType('CMT1')
const EXIF_IFD = boxType('CMT2')

/** A CR3 keeps IFD0 and the Exif directory as two TIFFs in Canon's own box: https://github.com/lclevy/canon_cr3. */
export function exifOfCr3(window: Window): Exif | undefined {
  const movie = boxIn(window, MOVIE, 0)
  if (movie === undefined) return undefined
  for (const { type, start, end } of boxesIn(window, movie.start, movie.end)) {
    if (type !== UUID || !isCanon(window.read(start, 16))) continue
    const main = tiffIn(window, IFD0, start + 16, end)
    return main && { ...main, takenAt: tiffIn(window, EXIF_IFD, start + 16, end)?.takenAt }
  }
  return undefined
}

function tiffIn(window: Window, type: number, start: number, end: number): Exif | undefined {
  const box = boxIn(window, type, start, end)
  return box && exifOfTiff(window, box.start)
}

function isCanon(id: Uint8Array): boolean {
  return CANON.every((word, i) => u32be(id, i * 4) === word)
}
