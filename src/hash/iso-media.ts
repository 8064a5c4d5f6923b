import { fourCC, u32be } from './bytes.ts'
import type { Kind } from './kinds.ts'

const FTYP = fourCC('ftyp')

/**
 * Brands by the registry's own words: https://mp4ra.org/registered-types/brands. The images are those of ISO/IEC 23008-12
 * (HEIF) and AV1-AVIF, the videos those that cameras and phones write as the major one.
 */
const BRANDS = new Map<number, Kind>()
const register = (kind: Kind, ...brands: string[]): void => {
  for (const brand of brands) BRANDS.set(fourCC(brand), kind)
}
register('image/heic', 'heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs')
register('image/avif', 'avif', 'avis', 'avio')
register('image/heif', 'avci', 'avcs', 'jpeg', 'jpgs', 'j2ki', 'j2is', 'vvic', 'vvis', 'evbi', 'evbs', 'unif')
register('image/x-canon-cr3', 'crx ')
register('image/jxl', 'jxl ')
register('image/jp2', 'jp2 ')
register('image/jpx', 'jpx ')
register('image/jpm', 'jpm ')
register('video/mj2', 'mjp2', 'mj2s')
register('video/quicktime', 'qt  ')
register('video/x-m4v', 'M4V ', 'M4VH', 'M4VP')
register('audio/mp4', 'M4A ', 'M4B ', 'M4P ')
register('video/mp4', 'isom', 'iso2', 'iso3', 'iso4', 'iso5', 'iso6', 'iso7', 'iso8', 'iso9', 'mp41', 'mp42', 'mp71')
register('video/mp4', 'avc1', 'mmp4', 'dash', 'MSNV', 'XAVC', 'CAEP', 'f4v ')

/** Brands of a HEIF file that leave its codec to the others: the structure, a sequence, the multi-image profile. */
const STRUCTURAL = new Set(['mif1', 'mif2', 'mif3', 'msf1', 'miaf'].map(fourCC))

/** What a QuickTime file older than `ftyp` begins with: https://developer.apple.com/documentation/quicktime-file-format. */
const OLD_QUICKTIME = new Set(['moov', 'mdat', 'wide', 'free', 'skip', 'pnot'].map(fourCC))

/** A first atom of 512 MiB or more without the bytes to hold it is text that happens to read `free` or `wide`. */
const TEXT_LIKE_SIZE = 0x2000_0000

/** The kind of an ISO base media file (HEIF, AVIF, CR3, MP4, QuickTime with or without `ftyp`), by all of its brands. */
export function isoMediaKind(head: Uint8Array, bytes: number): Kind | undefined {
  const type = u32be(head, 4)
  if (type === FTYP) return brandKind(u32be(head, 8)) ?? compatibleKind(head)
  return OLD_QUICKTIME.has(type) && isAtomSize(u32be(head, 0), bytes) ? 'video/quicktime' : undefined
}

/**
 * By the first compatible brand that names a codec, for a major one that doesn't (`mif1`, an unknown one). MP4's own brands
 * decide last, since AVIF lists `iso4`. A HEIF without a codec is `image/heif`; an `ftyp` that nobody knows goes up as MP4.
 */
function compatibleKind(head: Uint8Array): Kind {
  const end = Math.min(u32be(head, 0), head.length)
  let isHeif = STRUCTURAL.has(u32be(head, 8))
  for (let at = 16; at + 4 <= end; at += 4) {
    const brand = u32be(head, at)
    const kind = brandKind(brand)
    if (kind !== undefined && kind !== 'video/mp4') return kind
    isHeif ||= STRUCTURAL.has(brand)
  }
  return isHeif ? 'image/heif' : 'video/mp4'
}

/** 3GPP (TS 26.244) and 3GPP2 number their brands `3g` + profile + release, so they go by their first letters. */
function brandKind(brand: number): Kind | undefined {
  if (brand >>> 16 !== 0x3367) return BRANDS.get(brand)
  return ((brand >>> 8) & 0xff) === 0x32 ? 'video/3gpp2' : 'video/3gpp'
}

/** Sizes 0 (to the end of the file) and 1 (64 bits follow) are legal; a file cut short still has a believable one. */
function isAtomSize(size: number, bytes: number): boolean {
  return size <= 1 || (size >= 8 && (size <= bytes || size < TEXT_LIKE_SIZE))
}
