import type { Key, KeyRules, Sha256 } from '../client/destination.ts'
import { fitted, splitExt } from './keys.ts'

/** 48 bits: among a million contents that want one name, two with the same digits are met with a chance of 1 in 500. */
const digits = 12
/** What `versioned` may still add must not cost a digit. */
const counterBytes = '-999999'.length

/** `a/IMG_1.jpg` for the digest `3f2a9c0d1e4b…` is `a/IMG_1-3f2a9c0d1e4b.jpg`; the name is cut where there is no room, the digits never. */
export function withDigits(key: Key, digests: readonly Sha256[], rules: KeyRules): Key {
  if (digests.length === 0) return key
  const mark = digests.map((digest) => `-${digest.slice(0, digits)}`).join('')
  const short = fitted(key, { ...rules, maxSegmentBytes: rules.maxSegmentBytes - mark.length - counterBytes })
  const start = short.lastIndexOf('/') + 1
  const { stem, ext } = splitExt(short.slice(start))
  // as `versioned` has it: an extension that leaves no room before it is none
  const isExt = Buffer.byteLength(ext) * 2 <= rules.maxSegmentBytes
  return isExt ? `${short.slice(0, start)}${stem}${mark}${ext}` : short + mark
}
