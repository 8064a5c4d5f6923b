import { createHash } from 'node:crypto'

import type { Key, KeyRules } from '../client/destination.ts'
import { bytesOf } from '../os-path.ts'

/*
 * Keys are safe everywhere, so that a library can move to any disk: no control character, none that Windows refuses, no
 * bidirectional override that makes a name read as another, no reserved device name, no trailing dot or space. What is
 * refused is percent-encoded byte by byte, and so is a percent sign that could be taken for an encoding: `decodeSegment` undoes it.
 * Bytes that are no UTF-8 come as lone surrogates (`os-path.ts`); a percent sign alone stands for the empty name.
 */
const unsafe = /[\p{Cc}\p{Cs}\p{Bidi_Control}<>:"\\|?*\ufeff]|%(?=[0-9A-Fa-f]{2})|^%$/gu
/** Windows looks past spaces: `con .jpg` is a device too. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?= *(?:\.|$))/i
const systemName = '.lumina'
/** What HFS+ does not see in a name: https://developer.apple.com/library/archive/technotes/tn/tn1150.html#StringComparisonAlgorithm */
const unseen = /\p{Default_Ignorable_Code_Point}/gu

/** What cameras write, and most people: nothing in it needs a look. */
const plain = /^[A-Za-z0-9_][A-Za-z0-9_()\- ]{0,100}\.[A-Za-z0-9]{1,10}$/

/** One path segment, or one name, as a key may hold it. Never empty, `.` or `..`, never longer than the rules allow. */
export function encodeSegment(name: string, rules: KeyRules): string {
  if (plain.test(name) && !reserved.test(name) && !rules.forbidden && name.length <= rules.maxSegmentBytes) return name
  let safe = name.replace(unsafe, percent)
  if (rules.forbidden) safe = safe.replace(new RegExp(rules.forbidden, 'gu'), percent)
  if (rules.asciiOnly) safe = safe.replace(/[^\u0020-\u007e]/gu, percent)
  safe = safe.replace(reserved, (device) => percent(device[0] as string) + device.slice(1))
  safe = safe.replace(/[. ]$/, percent)
  if (safe === '') safe = '%'
  if (safe.replace(unseen, '').toLowerCase() === systemName) safe = safe.replace('.', '%2E')
  return shorten(safe, rules.maxSegmentBytes)
}

/** What `encodeSegment` was given, unless it had to shorten it. */
export function decodeSegment(segment: string): Buffer {
  if (segment === '%') return Buffer.alloc(0)
  const parts = segment.split(/%([0-9A-Fa-f]{2})/)
  return Buffer.concat(parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'hex'))))
}

function percent(character: string): string {
  return [...bytesOf(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** A key whose last segment has outgrown the limit, cut as `encodeSegment` cuts. */
export function fitted(key: Key, rules: KeyRules): Key {
  const start = key.lastIndexOf('/') + 1
  return key.slice(0, start) + shorten(key.slice(start), rules.maxSegmentBytes)
}

/** Cuts the stem, keeps the extension, and lets twelve digits of the name's digest keep two long names apart. */
function shorten(segment: string, maxBytes: number): string {
  if (Buffer.byteLength(segment) <= maxBytes) return segment
  const { stem, ext } = splitExt(segment)
  const mark = `~${createHash('sha256').update(segment).digest('hex').slice(0, 12)}`
  const keptExt = Buffer.byteLength(ext) <= 16 ? ext : ''
  return cutBytes(stem, maxBytes - mark.length - Buffer.byteLength(keptExt)) + mark + keptExt
}

/** At most `maxBytes` of UTF-8, never half a character nor half an encoding. */
function cutBytes(text: string, maxBytes: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maxBytes) break
    end += character.length
  }
  return text.slice(0, end).replace(/%[0-9A-Fa-f]?$/, '')
}

/** `ext` with its dot; a leading dot begins a stem, not an extension. */
export function splitExt(name: string): { stem: string; ext: string } {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? { stem: name, ext: '' } : { stem: name.slice(0, dot), ext: name.slice(dot) }
}

/** The whole key from path segments that a layout made: empty ones, `.` and `..` fall away. */
export function keyFrom(segments: readonly string[], rules: KeyRules): Key {
  return segments
    .filter((segment) => segment !== '' && segment !== '.' && segment !== '..')
    .map((segment) => encodeSegment(segment, rules))
    .join('/')
}

/** The key for the `counter`-th content that wants it: `a/IMG_1.jpg`, `a/IMG_1-2.jpg`, `a/IMG_1-3.jpg` ... */
export function versioned(key: Key, counter: number, rules: KeyRules): Key {
  if (counter === 1) return key
  const slash = key.lastIndexOf('/')
  const name = key.slice(slash + 1)
  const split = splitExt(name)
  // an extension that leaves no room before it is none
  const { stem, ext } = Buffer.byteLength(split.ext) * 2 > rules.maxSegmentBytes ? { stem: name, ext: '' } : split
  const suffix = `-${counter}${ext}`
  const room = rules.maxSegmentBytes - Buffer.byteLength(suffix)
  return key.slice(0, slash + 1) + cutBytes(stem, room) + suffix
}
