import { latin1, u16, u32 } from './bytes.ts'

/** One image file directory (TIFF 6.0, section 2), cut to the entries that are there. */
export interface Directory {
  readonly bytes: Uint8Array
  /** Where the TIFF header stands in `bytes`: the offsets inside count from it. */
  readonly base: number
  readonly little: boolean
  /** Offset in `bytes` of the first entry. */
  readonly start: number
  readonly count: number
}

const ENTRY_BYTES = 12
const TYPE = { byte: 1, ascii: 2, short: 3, long: 4, utf8: 129 } as const

/** The directory that stands `offset` bytes after the TIFF header at `base`; without entries when it lies outside. */
export function directoryAt(bytes: Uint8Array, base: number, offset: number, little: boolean): Directory {
  const start = base + offset + 2
  const room = Math.max(0, Math.floor((bytes.length - start) / ENTRY_BYTES))
  return { bytes, base, little, start, count: Math.min(u16(bytes, start - 2, little), room) }
}

/** The unsigned number of a tag, its first when it has many; undefined when the tag is absent or no number. */
export function numberOf(directory: Directory, tag: number): number | undefined {
  const at = entryOf(directory, tag)
  if (at === -1) return undefined
  const { bytes, little } = directory
  switch (u16(bytes, at + 2, little)) {
    case TYPE.byte:
      return bytes[at + 8]
    case TYPE.short:
      return u16(bytes, at + 8, little)
    case TYPE.long:
    case 13: // IFD
      return u32(bytes, at + 8, little)
    default:
      return undefined
  }
}

/** The text of a tag up to its first NUL, trimmed; empty when the tag is absent, no text, or its text lies outside. */
export function textOf(directory: Directory, tag: number): string {
  const at = entryOf(directory, tag)
  if (at === -1) return ''
  const { bytes, base, little } = directory
  const type = u16(bytes, at + 2, little)
  if (type !== TYPE.ascii && type !== TYPE.utf8) return ''
  const length = u32(bytes, at + 4, little)
  const start = length <= 4 ? at + 8 : base + u32(bytes, at + 8, little)
  const text = latin1(bytes, start, Math.min(start + length, start + 256))
  const end = text.indexOf('\0')
  return (end === -1 ? text : text.slice(0, end)).trim()
}

export function hasTag(directory: Directory, tag: number): boolean {
  return entryOf(directory, tag) !== -1
}

/** Offset in `bytes` of a tag's 12-byte entry; -1 when it has none. */
export function entryOf({ bytes, little, start, count }: Directory, tag: number): number {
  for (let at = start; at < start + count * ENTRY_BYTES; at += ENTRY_BYTES)
    if (u16(bytes, at, little) === tag) return at
  return -1
}
