/** The four characters as the big-endian number that `u32be` reads where they stand. */
export function fourCC(characters: string): number {
  let code = 0
  for (let i = 0; i < 4; i++) code = (code << 8) | characters.charCodeAt(i)
  return code >>> 0
}

/** 16 bits at an offset; 0 where they aren't wholly inside. */
export function u16(from: Uint8Array, at: number, little: boolean): number {
  if (at < 0 || at + 2 > from.length) return 0
  return little ? from[at]! | (from[at + 1]! << 8) : (from[at]! << 8) | from[at + 1]!
}

/** 32 bits, unsigned, at an offset; 0 where they aren't wholly inside. */
export function u32(from: Uint8Array, at: number, little: boolean): number {
  if (at < 0 || at + 4 > from.length) return 0
  return little
    ? (from[at]! | (from[at + 1]! << 8) | (from[at + 2]! << 16) | (from[at + 3]! << 24)) >>> 0
    : ((from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!) >>> 0
}

export const u16be = (from: Uint8Array, at: number): number => u16(from, at, false)
export const u32be = (from: Uint8Array, at: number): number => u32(from, at, false)
export const u32le = (from: Uint8Array, at: number): number => u32(from, at, true)

/** 64 bits, unsigned, big-endian, rounded to a double beyond 2^53; 0 where they aren't wholly inside. */
export function u64be(from: Uint8Array, at: number): number {
  return at < 0 || at + 8 > from.length ? 0 : u32be(from, at) * 0x1_0000_0000 + u32be(from, at + 4)
}

/** One character a byte, from `start` up to `end` or the end of the bytes. */
export function latin1(from: Uint8Array, start: number, end: number): string {
  return Buffer.from(from.buffer, from.byteOffset, from.byteLength).toString(
    'latin1',
    start,
    Math.min(end, from.length),
  )
}

/** The offset of a run of characters that ends before `end`; -1 when there is none from `start` on. */
export function indexOf(from: Uint8Array, characters: string, start = 0, end = from.length): number {
  return Buffer.from(from.buffer, from.byteOffset, Math.min(end, from.length)).indexOf(characters, start, 'latin1')
}

/**
 * The first `limit` bytes as text without a byte order mark, by which UTF-16 is known; one character a byte otherwise, since
 * ASCII reads the same there.
 */
export function decodedText(from: Uint8Array, limit: number): string {
  const even = Math.min(from.length, limit) & ~1
  if (from[0] === 0xff && from[1] === 0xfe) return utf16le(from.subarray(2, even))
  if (from[0] === 0xfe && from[1] === 0xff) return utf16le(Buffer.from(from.subarray(2, even)).swap16())
  return latin1(from, from[0] === 0xef && from[1] === 0xbb && from[2] === 0xbf ? 3 : 0, limit)
}

function utf16le(from: Uint8Array): string {
  return Buffer.from(from.buffer, from.byteOffset, from.byteLength).toString('utf16le')
}
