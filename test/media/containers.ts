import { ascii, bytes, concat, zeros } from '../hash/heads.ts'

/** Files around one Exif, made for tests. */

export const u32be = (value: number): Uint8Array => number(value, false)
export const u32le = (value: number): Uint8Array => number(value, true)
export const u16be = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)

function number(value: number, little: boolean): Uint8Array {
  const out = zeros(4)
  new DataView(out.buffer).setUint32(0, value, little)
  return out
}

interface Taken {
  original?: string
  digitized?: string
  changed?: string
  offset?: string
  make?: string
  model?: string
  /** The original date in IFD0, where TIFF/EP has it. */
  originalOfIfd0?: string
  /** Bytes between IFD0 and the Exif directory. */
  gap?: number
}

/** A little-endian TIFF structure with IFD0 and an Exif directory. */
export function exif({
  original,
  digitized,
  changed,
  offset,
  make,
  model,
  originalOfIfd0,
  gap = 0,
}: Taken): Uint8Array {
  const main = [text(0x10f, make), text(0x110, model), text(0x132, changed)].filter((entry) => entry !== undefined)
  const late = text(0x9003, originalOfIfd0)
  const ordered = (to: Entry): Entry[] => [...main, to, ...(late ? [late] : [])]
  const length = (entries: Entry[]): number => directory(0, entries).length
  const at = 8 + length(ordered(pointer(0))) + gap
  const detail = [text(0x9003, original), text(0x9004, digitized), text(0x9011, offset)].filter(
    (entry) => entry !== undefined,
  )
  return concat(bytes('49492a0008000000'), directory(8, ordered(pointer(at))), zeros(gap), directory(at, detail))
}

interface Entry {
  tag: number
  type: number
  count: number
  data: Uint8Array
}

const pointer = (at: number): Entry => ({ tag: 0x8769, type: 4, count: 1, data: u32le(at) })

const text = (tag: number, value?: string): Entry | undefined =>
  value === undefined ? undefined : { tag, type: 2, count: value.length + 1, data: concat(ascii(value), zeros(5)) }

function directory(offset: number, entries: readonly Entry[]): Uint8Array {
  let at = offset + 2 + entries.length * 12 + 4
  const heads = entries.map(({ tag, type, count, data }) => {
    const head = concat(u16be(swapped(tag)), u16be(swapped(type)), u32le(count), type === 2 ? u32le(at) : data)
    if (type === 2) at += data.length
    return head
  })
  const values = entries.filter(({ type }) => type === 2).map(({ data }) => data)
  return concat(u16be(swapped(entries.length)), ...heads, zeros(4), ...values)
}

const swapped = (value: number): number => ((value & 0xff) << 8) | (value >> 8)

export const segment = (marker: number, payload: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0xff, marker), u16be(payload.length + 2), payload)

export const jpegWith = (tiff: Uint8Array, ...before: Uint8Array[]): Uint8Array =>
  concat(bytes('ffd8'), ...before, segment(0xe1, concat(ascii('Exif\0\0'), tiff)), bytes('ffda0002ffd9'))

export const box = (type: string, ...parts: Uint8Array[]): Uint8Array => {
  const body = concat(...parts)
  return concat(u32be(body.length + 8), ascii(type), body)
}

export const pngChunk = (type: string, data: Uint8Array): Uint8Array =>
  concat(u32be(data.length), ascii(type), data, zeros(4))

export const riffChunk = (type: string, data: Uint8Array): Uint8Array =>
  concat(ascii(type), u32le(data.length), data, zeros(data.length % 2))

export const PNG_SIGNATURE = bytes('89504e470d0a1a0a')

/** A movie header of version 0, created so many seconds after 1904. */
export const movieHeader = (seconds: number): Uint8Array => box('mvhd', zeros(4), u32be(seconds), zeros(92))

/** A heap of a CRW: its records' bytes, then the directory, then where that stands. */
export function heap(...records: [tag: number, content: Uint8Array][]): Uint8Array {
  const contents = concat(...records.map(([, content]) => content))
  let at = 0
  const entries = records.map(([tag, content]) => {
    const entry = concat(u16be(swapped(tag)), u32le(content.length), u32le(at))
    at += content.length
    return entry
  })
  return concat(contents, u16be(swapped(records.length)), ...entries, u32le(contents.length))
}
