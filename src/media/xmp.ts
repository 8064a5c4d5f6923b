import { decodedText, indexOf, latin1 } from '../hash/bytes.ts'
import { parseTakenAt, type TakenAt } from './taken-at.ts'

/** How much of a packet is read: edits can make it large, and the dates stand among its first properties. */
const MAX_PACKET_BYTES = 256 * 1024

/** When it was taken, in the order of Exif: https://exiftool.org/TagNames/XMP.html; `xap` is the older prefix of `xmp`. */
const DATES = [
  'exif:DateTimeOriginal',
  'photoshop:DateCreated',
  '(?:xmp|xap):CreateDate',
  'exif:DateTimeDigitized',
].map((property) => new RegExp(`[\\s<]${property}(?:\\s*=\\s*["']|>)\\s*([^"'<]{8,40})`))

/** The date in an XMP sidecar; undefined when it has none. */
export function takenAtOfXmp(sidecar: Uint8Array): TakenAt | undefined {
  return takenAtOfPacket(decodedText(sidecar, MAX_PACKET_BYTES))
}

/** The date in the XMP packet that stands in a file's head as it is: in a JPEG, GIF, PSD, TIFF, PNG. */
export function takenAtOfEmbeddedXmp(head: Uint8Array): TakenAt | undefined {
  const start = indexOf(head, '<x:xmpmeta')
  if (start === -1) return undefined
  const end = indexOf(head, '</x:xmpmeta', start)
  return takenAtOfPacket(latin1(head, start, end === -1 ? start + MAX_PACKET_BYTES : end))
}

function takenAtOfPacket(packet: string): TakenAt | undefined {
  for (const date of DATES) {
    const taken = parseTakenAt(date.exec(packet)?.[1] ?? '')
    if (taken !== undefined) return taken
  }
  return undefined
}
