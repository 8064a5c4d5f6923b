import { isUtf8 } from 'node:buffer'

/*
 * Names of any bytes as strings: a byte that is not UTF-8 travels as the lone surrogate U+DC00 + byte, which no valid
 * text holds (Python's PEP 383, "surrogateescape"). Strings can then be compared, joined and sent between threads, and only a
 * system call needs the bytes back.
 */

const escapeBase = 0xdc00

/** What `fs` takes for `path`: the string itself, or its bytes where it stands for a name that is not UTF-8. */
export function osPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : bytesOf(path)
}

/** The bytes of a name on disk. */
export function bytesOf(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path)
  const parts: Buffer[] = []
  for (const character of path) {
    const code = character.charCodeAt(0)
    const escaped = character.length === 1 && code >= escapeBase + 0x80 && code <= escapeBase + 0xff
    parts.push(escaped ? Buffer.from([code - escapeBase]) : Buffer.from(character))
  }
  return Buffer.concat(parts)
}

/** The string that stands for a name read from disk. */
export function nameOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  let name = ''
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at] as number)
    const sequence = bytes.subarray(at, at + length)
    if (sequence.length === length && isUtf8(sequence)) {
      name += sequence.toString()
      at += length
    } else {
      name += String.fromCharCode(escapeBase + (bytes[at] as number))
      at += 1
    }
  }
  return name
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4
  if (lead >= 0xe0) return 3
  return lead >= 0xc0 ? 2 : 1
}

/** The same as well-formed text, for what stores only UTF-8: `//ff` cannot stand in a normalised path. */
export function asText(path: string): string {
  if (path.isWellFormed()) return path
  let text = ''
  for (const character of path) {
    text += character.isWellFormed() ? character : `//${(character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`
  }
  return text
}

export function fromText(text: string): string {
  return text.includes('//')
    ? text.replace(/\/\/([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(escapeBase + Number.parseInt(hex, 16)))
    : text
}
