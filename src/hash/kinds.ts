/** What a file's bytes say it is: a media type such as `image/heic`, never taken from its name. */
export type Kind = string

/**
 * `image`, `raw` and `video` are photos and go up; a `sidecar` goes with its photo; `other` is skipped unless asked for.
 */
export type KindClass = 'image' | 'raw' | 'video' | 'sidecar' | 'other'

export interface KindTraits {
  readonly class: KindClass
  /** Lower case, without the dot; the first is the one to give a file that has none. A name that bears one claims this kind. */
  readonly extensions: readonly string[]
  /** Extensions that mainly mean another kind, or nothing certain, and are honest on this one all the same. */
  readonly tolerated: readonly string[]
}

const traits = (of: KindClass, extensions: string, tolerated = ''): KindTraits => ({
  class: of,
  extensions: words(extensions),
  tolerated: words(tolerated),
})

const words = (list: string): string[] => (list === '' ? [] : list.split(' '))

/**
 * Every kind that `sniff` names. Media types are the registered ones where IANA has one
 * (https://www.iana.org/assignments/media-types), else those that ExifTool and shared-mime-info agree on.
 */
export const KINDS: Readonly<Record<Kind, KindTraits>> = {
  'image/jpeg': traits('image', 'jpg jpeg jpe jfif thm insp', 'mpo jps'),
  'image/mpo': traits('image', 'mpo jps', 'jpg jpeg jpe'),
  'image/png': traits('image', 'png', 'apng'),
  'image/apng': traits('image', 'apng', 'png'),
  'image/gif': traits('image', 'gif'),
  'image/webp': traits('image', 'webp'),
  'image/avif': traits('image', 'avif avifs', 'heif hif'),
  'image/heic': traits('image', 'heic heics', 'heif heifs hif'),
  'image/heif': traits('image', 'heif heifs hif', 'heic avci'),
  'image/jxl': traits('image', 'jxl'),
  'image/tiff': traits('image', 'tif tiff', 'btf tf8 stk'),
  'image/bmp': traits('image', 'bmp dib'),
  'image/vnd.adobe.photoshop': traits('image', 'psd psb'),
  'image/vnd.microsoft.icon': traits('image', 'ico'),
  'image/jp2': traits('image', 'jp2', 'jpf jpx j2k'),
  'image/jpx': traits('image', 'jpx jpf', 'jp2'),
  'image/jpm': traits('image', 'jpm', 'jp2'),
  'image/j2c': traits('image', 'j2k j2c jpc', 'jp2'),
  'image/jxr': traits('image', 'jxr wdp hdp'),
  'image/x-exr': traits('image', 'exr'),

  'image/x-adobe-dng': traits('raw', 'dng'),
  'image/x-canon-cr2': traits('raw', 'cr2'),
  'image/x-canon-cr3': traits('raw', 'cr3'),
  'image/x-canon-crw': traits('raw', 'crw'),
  'image/x-epson-erf': traits('raw', 'erf'),
  'image/x-fuji-raf': traits('raw', 'raf'),
  'image/x-gopro-gpr': traits('raw', 'gpr', 'dng'),
  'image/x-hasselblad-3fr': traits('raw', '3fr fff'),
  'image/x-kodak-dcr': traits('raw', 'dcr', 'kdc tif'),
  'image/x-kodak-kdc': traits('raw', 'kdc', 'dcr'),
  'image/x-leaf-mos': traits('raw', 'mos'),
  'image/x-leica-rwl': traits('raw', 'rwl', 'raw rw2'),
  'image/x-mamiya-mef': traits('raw', 'mef'),
  'image/x-minolta-mrw': traits('raw', 'mrw'),
  'image/x-nikon-nef': traits('raw', 'nef', 'nrw'),
  'image/x-nikon-nrw': traits('raw', 'nrw', 'nef'),
  'image/x-olympus-orf': traits('raw', 'orf ori'),
  'image/x-panasonic-rw2': traits('raw', 'rw2', 'raw rwl'),
  'image/x-pentax-pef': traits('raw', 'pef'),
  'image/x-phaseone-iiq': traits('raw', 'iiq', 'tif cap'),
  'image/x-samsung-srw': traits('raw', 'srw'),
  'image/x-sigma-x3f': traits('raw', 'x3f'),
  'image/x-sony-arw': traits('raw', 'arw', 'sr2'),
  'image/x-sony-sr2': traits('raw', 'sr2', 'arw'),
  'image/x-sony-srf': traits('raw', 'srf', 'arw'),

  'video/mp4': traits('video', 'mp4 lrv insv 360', 'm4v f4v 3gp 3g2 lrf'),
  'video/x-m4v': traits('video', 'm4v', 'mp4'),
  'video/quicktime': traits('video', 'mov qt', 'braw'),
  'video/3gpp': traits('video', '3gp 3gpp', '3g2 mp4'),
  'video/3gpp2': traits('video', '3g2 3gp2', '3gp mp4'),
  'video/x-msvideo': traits('video', 'avi'),
  'video/matroska': traits('video', 'mkv mk3d', 'webm'),
  'video/webm': traits('video', 'webm', 'mkv'),
  'video/mp2t': traits('video', 'mts m2ts m2t', 'ts tod mod'),
  'video/mpeg': traits('video', 'mpg mpeg mpe m1v m2v', 'vob mod dat'),
  'video/x-flv': traits('video', 'flv'),
  'video/x-ms-wmv': traits('video', 'wmv asf', 'wma'),
  'video/ogg': traits('video', 'ogv', 'ogg ogm'),
  'video/mj2': traits('video', 'mj2 mjp2', 'jp2'),
  'video/x-dv': traits('video', 'dv dif'),
  'application/mxf': traits('video', 'mxf'),

  'application/rdf+xml': traits('sidecar', 'xmp', 'rdf xml'),
  'application/x-apple-adjustments+xml': traits('sidecar', 'aae', 'plist xml'),
  'application/x-google-takeout+json': traits('sidecar', '', 'json'),
  'application/x-camera-clip+xml': traits('sidecar', '', 'xml'),
  'audio/wav': traits('sidecar', 'wav'),

  'application/json': traits('other', 'json', 'geojson webmanifest'),
  'application/xml': traits('other', 'xml', 'xmp aae plist rdf html xhtml gpx kml'),
  'image/svg+xml': traits('other', 'svg', 'xml'),
  'application/pdf': traits('other', 'pdf', 'ai'),
  'application/zip': traits('other', 'zip', 'lip docx xlsx pptx jar apk epub cbz kmz'),
  'audio/mp4': traits('other', 'm4a m4b m4p', 'mp4'),
  'audio/ogg': traits('other', 'ogg oga opus'),
  'audio/x-ms-wma': traits('other', 'wma', 'asf'),
}

const CLAIMS: ReadonlyMap<string, Kind> = new Map(
  Object.entries(KINDS).flatMap(([name, { extensions }]) => extensions.map((ext) => [ext, name] as const)),
)

/** The class of a kind; one that the table lacks goes by its type, so `image/x-xcf` from the rare sniffer is an image. */
export function classOf(kind: Kind): KindClass {
  const known = KINDS[kind]
  if (known !== undefined) return known.class
  if (kind.startsWith('image/')) return 'image'
  return kind.startsWith('video/') ? 'video' : 'other'
}

/** Whether a kind is one that goes up by itself: an image, a camera raw or a video. */
export function isPhoto(kind: Kind | undefined): boolean {
  if (kind === undefined) return false
  const of = classOf(kind)
  return of === 'image' || of === 'raw' || of === 'video'
}

/** The extension of a file name or path in lower case without the dot; empty when it has none. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  if (dot <= 0 || dot === name.length - 1) return ''
  const ext = name.slice(dot + 1)
  return ext.includes('/') || ext.includes('\\') || isSeparator(name.charAt(dot - 1)) ? '' : ext.toLowerCase()
}

const isSeparator = (character: string): boolean => character === '/' || character === '\\'

/** What a name's extension says the file is; undefined for an extension that claims nothing certain (`.raw`, `.ts`, none). */
export function claimedKind(name: string): Kind | undefined {
  return CLAIMS.get(extensionOf(name))
}

/**
 * Whether a name claims another kind than its bytes have. `kind` undefined (nobody knows the bytes) is a lie for a name that
 * claims a photo. An extension that claims nothing never lies; neither does an honest alias (`.jpeg`, `.hif`, MPO in `.jpg`,
 * BigTIFF in `.tif`, MP4 in `.m4v`). QuickTime in `.mp4` and a DNG in `.tif` do.
 */
export function extensionLies(name: string, kind: Kind | undefined): boolean {
  const ext = extensionOf(name)
  const claimed = CLAIMS.get(ext)
  if (claimed === undefined || claimed === kind) return false
  if (kind === undefined) return isPhoto(claimed)
  const known = KINDS[kind]
  return known === undefined || !known.tolerated.includes(ext)
}
