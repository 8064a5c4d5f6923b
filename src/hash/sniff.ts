import { fourCC, indexOf, latin1, u16, u32be, u32le } from './bytes.ts'
import { panasonicKind, tiffKind } from './camera-raw.ts'
import { isoMediaKind } from './iso-media.ts'
import { jpegKind } from './jpeg.ts'
import type { Kind } from './kinds.ts'
import { pngKind } from './png.ts'
import { binaryPropertyListKind, textKind } from './text-kind.ts'

/**
 * How much of a file's beginning `sniff` wants: IFD0 with the make, all brands, two transport packets. More tells MPO from
 * JPEG and APNG from PNG where large metadata comes first; less still names most kinds.
 */
export const SNIFF_BYTES = 4096

const HEAP = fourCC('HEAP')

type Recognise = (head: Uint8Array) => Kind | undefined

/** What files begin with, four bytes each, and what decides where those are not enough. */
const SIGNATURES = new Map<number, Recognise>()
const begins = (recognise: Recognise | Kind, ...signatures: (string | number)[]): void => {
  const decide = typeof recognise === 'string' ? () => recognise : recognise
  for (const signature of signatures)
    SIGNATURES.set(typeof signature === 'string' ? fourCC(signature) : signature, decide)
}
begins((head) => (u32be(head, 4) === 0x0d0a1a0a ? pngKind(head) : undefined), 0x89504e47)
begins('image/gif', 'GIF8')
begins(riffKind, 'RIFF', 'RF64')
begins(tiffKind, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+')
begins('image/x-olympus-orf', 'IIRO', 'IIRS', 'MMOR')
begins(panasonicKind, 'IIU\0')
begins((head) => (u32be(head, 6) === HEAP ? 'image/x-canon-crw' : undefined), 'II\x1a\0')
begins((head) => (latin1(head, 0, 15) === 'FUJIFILMCCD-RAW' ? 'image/x-fuji-raf' : undefined), 'FUJI')
begins('image/x-sigma-x3f', 'FOVb')
begins('image/x-minolta-mrw', '\0MRM')
begins('image/vnd.adobe.photoshop', '8BPS')
begins('image/jxr', 'II\xbc\x01', 'II\xbc\0')
begins('image/j2c', 0xff4fff51)
begins('image/x-exr', 0x762f3101)
begins(signatureBoxKind, 0x0000000c)
begins((head) => (isIconDirectory(head) ? 'image/vnd.microsoft.icon' : undefined), 0x00000100)
begins(matroskaKind, 0x1a45dfa3)
begins('video/mpeg', 0x000001ba, 0x000001b3)
begins('video/x-flv', 'FLV\x01')
begins(asfKind, 0x3026b275)
begins(oggKind, 'OggS')
begins('video/x-dv', 0x1f07003f, 0x1f0700bf)
begins((head) => (u32be(head, 4) === 0x02050101 ? 'application/mxf' : undefined), 0x060e2b34)
begins(binaryPropertyListKind, 'bpli')
begins('application/pdf', '%PDF')
begins('application/zip', 'PK\x03\x04')

/**
 * What a file is by its first bytes. `bytes` is the size of the whole file; `head` its beginning, `SNIFF_BYTES` or more (or
 * all of it). Undefined when nothing that this knows begins so: `sniffRare` may know. Never throws and reads nothing outside
 * `head`, whatever is in it.
 */
export function sniff(head: Uint8Array, bytes: number): Kind | undefined {
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return jpegKind(head)
  return (
    SIGNATURES.get(u32be(head, 0))?.(head) ??
    isoMediaKind(head, bytes) ??
    shortSignatureKind(head) ??
    transportStreamKind(head) ??
    textKind(head)
  )
}

/**
 * What `file-type` makes of a head that `sniff` doesn't know, when that is an image or a video (XCF, ICNS, BPG, FLIF ...);
 * else undefined. Costs its import once and some 25 µs a call, so it is for names that claim a photo or nothing.
 */
export async function sniffRare(head: Uint8Array): Promise<Kind | undefined> {
  const { fileTypeFromBuffer } = await import('file-type')
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  return found !== undefined && /^(?:image|video)\//.test(found.mime) ? found.mime : undefined
}

const WEBP = fourCC('WEBP')
const AVI = fourCC('AVI ')
const WAVE = fourCC('WAVE')

function riffKind(head: Uint8Array): Kind | undefined {
  switch (u32be(head, 8)) {
    case WEBP:
      return 'image/webp'
    case AVI:
      return 'video/x-msvideo'
    case WAVE:
      return 'audio/wav'
    default:
      return undefined
  }
}

const JXL = fourCC('JXL ')
const JPEG_2000 = fourCC('jP  ')

/** JPEG 2000 and JPEG XL containers: a 12-byte signature box, then `ftyp` with the brand. */
function signatureBoxKind(head: Uint8Array): Kind | undefined {
  const type = u32be(head, 4)
  if (type === JXL) return 'image/jxl'
  if (type !== JPEG_2000) return undefined
  const kind = isoMediaKind(head.subarray(12), head.length)
  return kind === 'image/jpx' || kind === 'image/jpm' || kind === 'video/mj2' ? kind : 'image/jp2'
}

/** An icon directory whose first picture lies behind its entries; four such bytes alone begin much else. */
function isIconDirectory(head: Uint8Array): boolean {
  const pictures = u16(head, 4, true)
  return pictures > 0 && head[9] === 0 && u32le(head, 18) >= 6 + 16 * pictures
}

/** EBML's DocType (element 0x4282) tells WebM from Matroska: https://www.rfc-editor.org/rfc/rfc8794#name-doctype-element. */
function matroskaKind(head: Uint8Array): Kind | undefined {
  const at = indexOf(head, 'B\x82', 4, 80)
  if (at === -1) return undefined
  const type = latin1(head, at + 3, at + 3 + (head[at + 2]! & 0x7f))
  if (type.startsWith('webm')) return 'video/webm'
  return type.startsWith('matroska') ? 'video/matroska' : undefined
}

/** The first half of the GUID that gives an ASF stream's type: BC19EFC0-5B4D-11CF-..., F8699E40-5B4D-11CF-... */
const ASF_VIDEO = '\xc0\xef\x19\xbc\x4d\x5b\xcf\x11'
const ASF_AUDIO = '\x40\x9e\x69\xf8\x4d\x5b\xcf\x11'

/** WMA and WMV share a container; a head too short for its streams counts as video, so that it goes up. */
function asfKind(head: Uint8Array): Kind {
  const hasAudioOnly = indexOf(head, ASF_VIDEO) === -1 && indexOf(head, ASF_AUDIO) !== -1
  return hasAudioOnly ? 'audio/x-ms-wma' : 'video/x-ms-wmv'
}

/** The codecs of an Ogg stand in its first pages. */
function oggKind(head: Uint8Array): Kind {
  const isVideo = indexOf(head, '\x80theora', 0, 1024) !== -1 || indexOf(head, 'BBCD\0', 0, 1024) !== -1
  return isVideo ? 'video/ogg' : 'audio/ogg'
}

const DIB_HEADER_BYTES = new Set([12, 16, 40, 52, 56, 64, 108, 124])

/** Signatures of two bytes, with what else must hold. */
function shortSignatureKind(head: Uint8Array): Kind | undefined {
  if (head[0] === 0xff && head[1] === 0x0a) return 'image/jxl'
  if (head[0] !== 0x42 || head[1] !== 0x4d) return undefined
  return u32le(head, 6) === 0 && DIB_HEADER_BYTES.has(u32le(head, 14)) ? 'image/bmp' : undefined
}

const SYNC = 0x47

/** MPEG transport packets of 188 bytes, or of 192 where each begins with a time code, as on AVCHD cards (MTS, M2TS). */
function transportStreamKind(head: Uint8Array): Kind | undefined {
  return hasSync(head, 0, 188) || hasSync(head, 4, 192) ? 'video/mp2t' : undefined
}

function hasSync(head: Uint8Array, at: number, packetBytes: number): boolean {
  return head[at] === SYNC && head[at + packetBytes] === SYNC && (head[at + 2 * packetBytes] ?? SYNC) === SYNC
}
