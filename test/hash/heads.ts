/** Beginnings of files, made for tests. */

export const zeros = (length: number): Uint8Array => new Uint8Array(length)
export const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

export function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** An `ftyp` box with a major brand and compatible ones. */
export function brands(major: string, ...compatible: string[]): Uint8Array {
  const box = concat(zeros(4), ascii(`ftyp${major}`), zeros(4), ascii(compatible.join('')))
  new DataView(box.buffer).setUint32(0, box.length)
  return box
}

interface Tiff {
  make?: string
  model?: string
  magic?: number
  subfile?: number
  width?: number
  height?: number
  compression?: number
  photometric?: number
  subIfds?: boolean
  leafData?: boolean
  dng?: boolean
}

/** A little-endian TIFF whose IFD0 stands at byte 8 and has the tags given. */
export function tiff({
  make,
  model,
  magic = 42,
  subfile,
  width,
  height,
  compression,
  photometric,
  subIfds,
  leafData,
  dng,
}: Tiff): Uint8Array {
  const entries: [tag: number, type: number, value: number | string][] = []
  if (subfile !== undefined) entries.push([0xfe, 4, subfile])
  if (width !== undefined) entries.push([0x100, 3, width])
  if (height !== undefined) entries.push([0x101, 3, height])
  if (compression !== undefined) entries.push([0x103, 3, compression])
  if (photometric !== undefined) entries.push([0x106, 3, photometric])
  if (make !== undefined) entries.push([0x10f, 2, make])
  if (model !== undefined) entries.push([0x110, 2, model])
  if (subIfds) entries.push([0x14a, 4, 0x8000])
  if (leafData) entries.push([0x8606, 7, 0])
  if (dng) entries.push([0xc612, 1, 1])
  return directory(magic, entries)
}

function directory(magic: number, entries: readonly [tag: number, type: number, value: number | string][]): Uint8Array {
  const head = new Uint8Array(8 + 2 + entries.length * 12 + 4 + 256)
  const view = new DataView(head.buffer)
  head.set([0x49, 0x49, magic, 0, 8, 0, 0, 0])
  view.setUint16(8, entries.length, true)
  let texts = 8 + 2 + entries.length * 12 + 4
  entries.forEach(([tag, type, value], i) => {
    const at = 10 + i * 12
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, type, true)
    view.setUint32(at + 4, typeof value === 'string' ? value.length + 1 : 1, true)
    if (typeof value === 'number') return view.setUint32(at + 8, value, true)
    const inline = value.length < 4
    head.set(ascii(value), inline ? at + 8 : texts)
    if (!inline) view.setUint32(at + 8, texts, true)
    texts += inline ? 0 : value.length + 1
  })
  return head
}

/** A JPEG whose multi-picture index (CIPA DC-007) has a second picture of a type. */
export function multiPicture(type: number): Uint8Array {
  const entry = (value: number): Uint8Array => concat(u32(value), zeros(12))
  const index = concat(
    bytes('4d4d002a00000008'),
    bytes('0001b002000700000020'),
    u32(26),
    zeros(4),
    entry(0x2003_0000),
    entry(type),
  )
  const payload = concat(ascii('MPF\0'), index)
  return concat(bytes('ffd8ffe000044a46ffe2'), u32(payload.length + 2).subarray(2), payload, bytes('ffda'))
}

function u32(value: number): Uint8Array {
  const out = zeros(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}
