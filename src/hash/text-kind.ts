import { decodedText, latin1 } from './bytes.ts'
import type { Kind } from './kinds.ts'

/** How far into a text its root element or its telling field is looked for. Takeout's stand after a free description. */
const TEXT_HEAD_BYTES = 4096

/** Apple's adjustments carry these keys, as XML and as a binary property list. */
const ADJUSTMENTS = /adjustment(?:FormatIdentifier|FormatVersion|Data|BaseVersion)/

/** Root elements of clip metadata: Sony XDCAM and XAVC, Panasonic P2, Canon XF. */
const CAMERA_CLIP = /<(?:NonRealTimeMeta|P2Main|ClipContent|CanonXFClip)[\s>]/

/** The kind of a sidecar or another structured text; undefined for prose and for binary. */
export function textKind(head: Uint8Array): Kind | undefined {
  const text = decodedText(head, TEXT_HEAD_BYTES)
  const first = text.search(/\S/)
  if (first === -1) return undefined
  if (text[first] === '<') return markupKind(text)
  return text[first] === '{' || text[first] === '[' ? jsonKind(text.slice(first)) : undefined
}

/** Apple's adjustments as a binary property list (`bplist00`). */
export function binaryPropertyListKind(head: Uint8Array): Kind | undefined {
  return ADJUSTMENTS.test(latin1(head, 0, TEXT_HEAD_BYTES)) ? 'application/x-apple-adjustments+xml' : undefined
}

function markupKind(text: string): Kind | undefined {
  if (/<svg[\s>]/.test(text)) return 'image/svg+xml'
  if (/<x:xmpmeta[\s>]|<rdf:RDF[\s>]|<\?xpacket begin/.test(text)) return 'application/rdf+xml'
  if (ADJUSTMENTS.test(text)) return 'application/x-apple-adjustments+xml'
  if (CAMERA_CLIP.test(text)) return 'application/x-camera-clip+xml'
  return text.includes('<?xml') ? 'application/xml' : undefined
}

/** By its first token, since only a piece of it may be there. Google's field names: title, photoTakenTime, geoDataExif. */
function jsonKind(text: string): Kind | undefined {
  if (!/^(?:\{\s*(?:"|\}|$)|\[\s*(?:[[{"\]\-\d]|true|false|null|$))/.test(text)) return undefined
  return /"photoTakenTime"\s*:/.test(text) ? 'application/x-google-takeout+json' : 'application/json'
}
