import { createCipheriv } from 'node:crypto'

/** Bytes that look random and are the same for the same seed, made at the speed of AES. */
export function noise(seed: number | string, bytes: number): Buffer {
  const key = Buffer.alloc(16, `${seed}/`)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}

/** Random numbers from 0 up to 1, the same for the same seed. */
export function randomFrom(seed: number | string): () => number {
  const numbers = noise(seed, 4 * 4096)
  let at = 0
  return () => numbers.readUInt32LE((at++ % 4096) * 4) / 2 ** 32
}

const jfif = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')
/** A frame of 8 × 8 pixels; what comes after its scan's header is noise. */
const frame = Buffer.from('ffc0000b080008000801011100ffda0008010100003f00', 'hex')

/** Something that begins and ends like a JPEG; two of one seed and size are the same. */
export function jpeg(seed: number | string, bytes = 4000): Buffer {
  const end = Buffer.from('ffd9', 'hex')
  const size = bytes - jfif.length - frame.length - end.length
  return Buffer.concat([jfif, frame, noise(seed, size), end])
}

/** A JPEG that says when it was taken. */
export function jpegTaken(seed: number | string, taken: string, bytes = 4000): Buffer {
  const text = Buffer.from(`${taken}\0`, 'latin1')
  const tiff = Buffer.alloc(8 + 2 + 12 + 4 + 2 + 12 + 4 + text.length)
  tiff.write('II*\0', 0, 'latin1')
  tiff.writeUInt32LE(8, 4)
  tiff.writeUInt16LE(1, 8)
  entry(10, 0x8769, 4, 1, 26) // where the Exif directory is
  tiff.writeUInt16LE(1, 26)
  entry(28, 0x9003, 2, text.length, 44) // DateTimeOriginal
  text.copy(tiff, 44)
  const exif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff])
  const marker = Buffer.from([0xff, 0xe1, 0, 0])
  marker.writeUInt16BE(exif.length + 2, 2)
  const rest = jpeg(seed, bytes).subarray(2)
  return Buffer.concat([Buffer.from([0xff, 0xd8]), marker, exif, rest])

  function entry(at: number, tag: number, type: number, count: number, value: number): void {
    tiff.writeUInt16LE(tag, at)
    tiff.writeUInt16LE(type, at + 2)
    tiff.writeUInt32LE(count, at + 4)
    tiff.writeUInt32LE(value, at + 8)
  }
}

/** Something that begins like a QuickTime movie. */
export function movie(seed: number | string, bytes: number): Buffer {
  const head = Buffer.from('\0\0\0\x14ftypqt  \0\0\0\0qt  ', 'latin1')
  const media = Buffer.from('\0\0\0\0mdat', 'latin1')
  media.writeUInt32BE(bytes - head.length, 0)
  return Buffer.concat([head, media, noise(seed, bytes - head.length - media.length)])
}

/** Something that begins like a Canon raw. */
export function cr2(seed: number | string, bytes = 6000): Buffer {
  const head = Buffer.from('49492a0010000000435202000000000000000000', 'hex')
  return Buffer.concat([head, noise(seed, bytes - head.length)])
}

export function xmp(note: string): Buffer {
  return Buffer.from(
    `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- ${note} --></x:xmpmeta>`,
  )
}
