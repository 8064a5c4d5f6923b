import { u16, u32 } from './bytes.ts'
import type { Kind } from './kinds.ts'
import { type Directory, directoryAt, hasTag, numberOf, textOf } from './tiff.ts'

/** Tags of IFD0: https://exiftool.org/TagNames/EXIF.html. */
const TAG = {
  newSubfileType: 0xfe,
  width: 0x100,
  height: 0x101,
  compression: 0x103,
  photometric: 0x106,
  make: 0x10f,
  model: 0x110,
  subIfds: 0x14a,
  cfaRepeatPattern: 0x828d,
  cfaPattern: 0x828e,
  leafData: 0x8606,
  dngVersion: 0xc612,
  dngPrivate: 0xc634,
} as const

/** Compressions that one maker's raw uses and nothing else: https://exiftool.org/TagNames/EXIF.html#Compression. */
const RAW_COMPRESSIONS: ReadonlyMap<number, Kind> = new Map([
  [32767, 'image/x-sony-arw'],
  [32770, 'image/x-samsung-srw'],
  [32772, 'image/x-samsung-srw'],
  [32867, 'image/x-kodak-kdc'],
  [34713, 'image/x-nikon-nef'],
  [65000, 'image/x-kodak-dcr'],
  [65535, 'image/x-pentax-pef'],
])

/** Photometric interpretations of sensor data: colour filter array (TIFF/EP), linear raw (DNG). */
const SENSOR_DATA: ReadonlySet<number | undefined> = new Set([32803, 34892])

/** How makers begin their name, in upper case, and the raw they write. */
const MAKERS: readonly (readonly [make: string, kind: (model: string) => Kind])[] = [
  ['NIKON', nikonKind],
  ['SONY', sonyKind],
  ['PENTAX', () => 'image/x-pentax-pef'],
  ['ASAHI', () => 'image/x-pentax-pef'],
  ['RICOH', () => 'image/x-pentax-pef'],
  ['SAMSUNG', () => 'image/x-samsung-srw'],
  ['HASSELBLAD', () => 'image/x-hasselblad-3fr'],
  ['IMACON', () => 'image/x-hasselblad-3fr'],
  ['SEIKO EPSON', () => 'image/x-epson-erf'],
  ['EPSON', () => 'image/x-epson-erf'],
  ['MAMIYA', () => 'image/x-mamiya-mef'],
  ['LEAF', () => 'image/x-leaf-mos'],
  ['KODAK', kodakKind],
  ['EASTMAN KODAK', kodakKind],
  ['PHASE ONE', () => 'image/x-phaseone-iiq'],
]

/**
 * The kind of a file that begins as TIFF does (`II*`, `MM*`): a camera raw, else `image/tiff`. IFD0 of most raws lies in the
 * first 4 KiB; where it lies beyond `head`, the older directory that Nikon's software leaves at byte 8 is read instead.
 */
export function tiffKind(head: Uint8Array): Kind {
  const little = head[0] === 0x49
  if (isCr2(head)) return 'image/x-canon-cr2'
  if (isPhaseOne(head)) return 'image/x-phaseone-iiq'
  if (u16(head, 2, little) !== 42) return 'image/tiff'
  const offset = u32(head, 4, little)
  const isHere = offset + 2 < head.length
  return rawKind(directoryAt(head, 0, isHere ? offset : 8, little)) ?? 'image/tiff'
}

/** RW2 and RWL share one header (`IIU`), told apart by the make in their first directory. */
export function panasonicKind(head: Uint8Array): Kind {
  const make = textOf(directoryAt(head, 0, u32(head, 4, true), true), TAG.make)
  return /^leica/i.test(make) ? 'image/x-leica-rwl' : 'image/x-panasonic-rw2'
}

/** `CR`, major version 2, after the TIFF header: http://lclevy.free.fr/cr2/. */
function isCr2(head: Uint8Array): boolean {
  return head[8] === 0x43 && head[9] === 0x52 && head[10] === 2
}

/** The byte order again, then `Raw` in the upper 24 bits of a number, at byte 8: `IIIITwaR` or `MMMMRawT`. */
function isPhaseOne(head: Uint8Array): boolean {
  const little = head[8] === 0x49
  return (little || head[8] === 0x4d) && u32(head, 12, little) >>> 8 === 0x526177
}

function rawKind(ifd0: Directory): Kind | undefined {
  const make = textOf(ifd0, TAG.make).toUpperCase()
  if (hasTag(ifd0, TAG.dngVersion)) return make.startsWith('GOPRO') ? 'image/x-gopro-gpr' : 'image/x-adobe-dng'
  if (hasTag(ifd0, TAG.leafData)) return 'image/x-leaf-mos'
  const compression = numberOf(ifd0, TAG.compression) ?? 0
  if (RAW_COMPRESSIONS.has(compression)) return RAW_COMPRESSIONS.get(compression)
  if (make === '') return isNikonThumbnail(ifd0) ? 'image/x-nikon-nef' : undefined
  return isRaw(ifd0) ? makersKind(make, textOf(ifd0, TAG.model)) : undefined
}

/**
 * Whether IFD0 says raw. The make alone is no evidence: scanners and editors write it into plain TIFFs. Sensor data is, and
 * so is an IFD0 that calls itself a reduced version of a picture in a sub-directory, or Sony's private data.
 */
function isRaw(ifd0: Directory): boolean {
  const isReduced = ((numberOf(ifd0, TAG.newSubfileType) ?? 0) & 1) === 1
  return (
    (isReduced && (hasTag(ifd0, TAG.subIfds) || numberOf(ifd0, TAG.compression) === 6)) ||
    SENSOR_DATA.has(numberOf(ifd0, TAG.photometric)) ||
    hasTag(ifd0, TAG.cfaPattern) ||
    hasTag(ifd0, TAG.cfaRepeatPattern) ||
    hasTag(ifd0, TAG.dngPrivate)
  )
}

function makersKind(make: string, model: string): Kind | undefined {
  return MAKERS.find(([prefix]) => make.startsWith(prefix))?.[1](model)
}

/** NRW is what Coolpix write since the P6000; the older ones (E5000 to E8800) call themselves by a number and write NEF. */
function nikonKind(model: string): Kind {
  return model.startsWith('COOLPIX') ? 'image/x-nikon-nrw' : 'image/x-nikon-nef'
}

/** SRF and SR2 are the raws of three models before ARW: https://exiftool.org/TagNames/Sony.html. */
function sonyKind(model: string): Kind {
  if (model === 'DSC-R1') return 'image/x-sony-sr2'
  return model === 'DSC-F828' || model === 'DSC-V3' ? 'image/x-sony-srf' : 'image/x-sony-arw'
}

/** DCR is what the DCS line writes, KDC the others. */
function kodakKind(model: string): Kind {
  return /\bDCS/i.test(model) ? 'image/x-kodak-dcr' : 'image/x-kodak-kdc'
}

/** The 160 × 120 thumbnail that every NEF has for its first picture, for a head that ends before the make. */
function isNikonThumbnail(ifd0: Directory): boolean {
  return (
    numberOf(ifd0, TAG.newSubfileType) === 1 && numberOf(ifd0, TAG.width) === 160 && numberOf(ifd0, TAG.height) === 120
  )
}
