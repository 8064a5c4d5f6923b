import { inflateSync } from 'node:zlib'
import { fourCC, latin1, u32be } from '../hash/bytes.ts'
import { type Exif, exifOfTiff } from './exif.ts'
import { parseTakenAt } from './taken-at.ts'
import { type Window, windowOver } from './window.ts'

const EXIF = fourCC('eXIf')
const END = fourCC('IEND')
const TEXT = fourCC('tEXt')
const COMPRESSED_TEXT = fourCC('zTXt')

/** ImageMagick's older way: hexadecimal in a text chunk of this name. */
const RAW_PROFILE = 'Raw profile type '
/** The name and the length in decimal, then the digits in lines. */
const PROFILE_HEADER = /^\s{0,8}\S{1,32}\s{1,16}\d{1,10}\s/
const MAX_PROFILE_BYTES = 256 * 1024

/**
 * What a PNG says of its taking: its `eXIf` chunk or a raw profile, else its `Creation Time`, if that is written as Exif does.
 * https://www.w3.org/TR/png-3/#eXIf, https://www.w3.org/TR/png-3/#11keywords
 */
export function exifOfPng(window: Window): Exif | undefined {
  let created: Exif | undefined
  for (let at = 8; ;) {
    const header = window.read(at, 8)
    const type = u32be(header, 4)
    if (header.length < 8 || type === END) return created
    const length = u32be(header, 0)
    if (type === EXIF) return exifOfTiff(window, at + 8)
    if (type === TEXT || type === COMPRESSED_TEXT) {
      const chunk = window.read(at + 8, Math.min(length, MAX_PROFILE_BYTES))
      const profile = rawProfile(chunk, type)
      if (profile !== undefined) return exifOfTiff(windowOver(profile), 0)
      created ??= creationTime(chunk)
    }
    at += 12 + length
  }
}

function creationTime(chunk: Uint8Array): Exif | undefined {
  const [keyword, text = ''] = latin1(chunk, 0, 64).split('\0')
  const takenAt = keyword === 'Creation Time' ? parseTakenAt(text) : undefined
  return takenAt && { takenAt, make: '', model: '' }
}

/** The profile's bytes without the `Exif` mark in front; undefined for any other text. */
function rawProfile(chunk: Uint8Array, type: number): Uint8Array | undefined {
  const name = latin1(chunk, 0, 80).split('\0')[0]!
  if (name !== `${RAW_PROFILE}exif` && name !== `${RAW_PROFILE}APP1`) return undefined
  const text = type === TEXT ? chunk.subarray(name.length + 1) : inflated(chunk.subarray(name.length + 2))
  const all = latin1(text, 0, text.length)
  const digits = all.slice(PROFILE_HEADER.exec(all)?.[0].length ?? all.length)
  const bytes = Buffer.from(digits.replaceAll(/\s/g, ''), 'hex')
  return latin1(bytes, 0, 4) === 'Exif' ? bytes.subarray(6) : bytes
}

function inflated(data: Uint8Array): Uint8Array {
  try {
    return inflateSync(data, { maxOutputLength: MAX_PROFILE_BYTES * 2 })
  } catch {
    return new Uint8Array(0) // broken, or a bomb
  }
}
