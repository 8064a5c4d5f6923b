import { classOf, type Kind } from '../hash/kinds.ts'
import { boxIn, boxType } from './boxes.ts'
import type { Camera } from './camera.ts'
import { exifOfCrw } from './ciff.ts'
import { type Exif, exifOfJpeg, exifOfTiff } from './exif.ts'
import { exifOfHeif, exifOfItem } from './heif-exif.ts'
import { exifOfCr3, exifOfMrw, exifOfRaf, exifOfRw2 } from './maker-exif.ts'
import { exifOfPng } from './png-exif.ts'
import { movieOf } from './quicktime.ts'
import { exifOfWebp, takenAtOfAvi } from './riff.ts'
import type { TakenAt } from './taken-at.ts'
import { takenAtOfTakeout } from './takeout.ts'
import { type ReadAt, type Window, windowOver } from './window.ts'
import { takenAtOfEmbeddedXmp, takenAtOfXmp } from './xmp.ts'

export { type Camera, cameraName } from './camera.ts'
export type { TakenAt } from './taken-at.ts'

export interface Captured {
  readonly takenAt?: TakenAt
  readonly camera?: Camera
  /** What `takenAt` was read from; `exif-changed` is Exif's date of the last change, for want of a better one. */
  readonly from?: 'exif' | 'exif-changed' | 'quicktime' | 'avi' | 'xmp' | 'takeout'
}

export interface CapturedOptions {
  /** Reaches what lies behind the head: a MOV's `moov`, a WebP's Exif. Called with at most 256 KiB, at most 64 times. */
  readonly readAt?: ReadAt
  /** The file's size, which a CRW needs. */
  readonly bytes?: number
}

/**
 * When and with what a photo was taken, by its own metadata; for a sidecar, what that says of its photo. `head` is the file's
 * beginning, 64 KiB or more where there is that much (a PNG's is read no further). Each is absent when the file doesn't say, or says nonsense; nothing is
 * thrown but what `readAt` throws. Work is bounded whatever the file says of itself.
 */
export function captured(head: Uint8Array, kind: Kind, { readAt, bytes }: CapturedOptions = {}): Captured {
  const isWhole = bytes !== undefined && head.length >= bytes
  const window = windowOver(head, isWhole ? undefined : readAt)
  switch (kind) {
    case 'application/rdf+xml':
      return dated(takenAtOfXmp(head), 'xmp')
    case 'application/x-google-takeout+json':
      return dated(takenAtOfTakeout(head), 'takeout')
    case 'video/x-msvideo':
      return dated(takenAtOfAvi(head), 'avi')
    case 'video/mp4':
    case 'video/x-m4v':
    case 'video/quicktime':
    case 'video/3gpp':
    case 'video/3gpp2':
      return ofMovie(window)
    default:
      return isPicture(kind) ? ofPicture(head, kind, window, bytes) : {}
  }
}

function ofMovie(window: Window): Captured {
  const movie = movieOf(window)
  return movie === undefined ? {} : { ...dated(movie.takenAt, 'quicktime'), ...named(movie) }
}

/** Exif's date of taking, else XMP's, else that of a sequence's movie, else Exif's last change. */
function ofPicture(head: Uint8Array, kind: Kind, window: Window, bytes?: number): Captured {
  const exif = exifOf(head, kind, window, bytes)
  const camera = exif ? named(exif) : {}
  if (exif?.takenAt !== undefined) return { takenAt: exif.takenAt, from: 'exif', ...camera }
  const inXmp = takenAtOfEmbeddedXmp(head)
  if (inXmp !== undefined) return { takenAt: inXmp, from: 'xmp', ...camera }
  const sequence = isHeif(kind) ? ofMovie(window) : {}
  return { ...dated(exif?.changedAt, 'exif-changed'), ...sequence, ...camera }
}

function exifOf(head: Uint8Array, kind: Kind, window: Window, bytes?: number): Exif | undefined {
  switch (kind) {
    case 'image/jpeg':
    case 'image/mpo':
      return exifOfJpeg(window, 0)
    case 'image/png':
    case 'image/apng':
      return exifOfPng(windowOver(head))
    case 'image/webp':
      return exifOfWebp(window)
    case 'image/heic':
    case 'image/heif':
    case 'image/avif':
      return exifOfHeif(window)
    case 'image/jxl':
      return exifOfJxl(window)
    case 'image/x-canon-cr3':
      return exifOfCr3(window)
    case 'image/x-canon-crw':
      return bytes === undefined ? undefined : exifOfCrw(window, bytes)
    case 'image/x-fuji-raf':
      return exifOfRaf(window)
    case 'image/x-minolta-mrw':
      return exifOfMrw(window)
    case 'image/x-panasonic-rw2':
    case 'image/x-leica-rwl':
      return exifOfRw2(window)
    default:
      return exifOfTiff(window, 0)
  }
}

/** A JPEG XL container's Exif box has the form of a HEIF's item: ISO/IEC 18181-2. */
function exifOfJxl(window: Window): Exif | undefined {
  const box = boxIn(window, boxType('Exif'), 0)
  return box && exifOfItem(window, box.start)
}

function isPicture(kind: Kind): boolean {
  const of = classOf(kind)
  return of === 'image' || of === 'raw'
}

function isHeif(kind: Kind): boolean {
  return kind === 'image/heic' || kind === 'image/heif' || kind === 'image/avif'
}

function dated(takenAt: TakenAt | undefined, from: NonNullable<Captured['from']>): Captured {
  return takenAt === undefined ? {} : { takenAt, from }
}

function named({ make, model }: { make: string; model: string }): Captured {
  if (make === '' && model === '') return {}
  return { camera: { ...(make !== '' && { make }), ...(model !== '' && { model }) } }
}
