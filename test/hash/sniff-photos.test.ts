import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { extensionLies, type Kind } from '../../src/hash/kinds.ts'
import { SNIFF_BYTES, sniff } from '../../src/hash/sniff.ts'

const PHOTOS = new URL('../../../shared/photos/', import.meta.url)
const MANIFEST = new URL('manifest.json', PHOTOS)
const HEAD_BYTES = 65_536

interface Entry {
  path: string
  bytes: number
  true_type: string
  extension_matches: boolean
}

/** What `sniff` may say for each of the manifest's types. */
const KINDS_OF: Record<string, (Kind | undefined)[]> = {
  '3gp': ['video/3gpp'],
  apng: ['image/apng'],
  arw: ['image/x-sony-arw'],
  avi: ['video/x-msvideo'],
  avif: ['image/avif'],
  bigtiff: ['image/tiff'],
  bmp: ['image/bmp'],
  cr3: ['image/x-canon-cr3'],
  crw: ['image/x-canon-crw'],
  dng: ['image/x-adobe-dng'],
  empty: [undefined],
  gif: ['image/gif'],
  gpr: ['image/x-gopro-gpr'],
  heic: ['image/heic'],
  ico: ['image/vnd.microsoft.icon'],
  // The manifest has no type of its own for an HEIF that names HEVC beside an unknown major brand.
  'isobmff-unknown-brand': ['image/heic'],
  jp2: ['image/jp2'],
  jpeg: ['image/jpeg'],
  json: ['application/json', 'application/x-google-takeout+json'],
  jxl: ['image/jxl'],
  jxr: ['image/jxr'],
  kdc: ['image/x-kodak-kdc'],
  mov: ['video/quicktime'],
  // M4V is an MP4 with a brand of its own.
  mp4: ['video/mp4', 'video/x-m4v'],
  mpeg: ['video/mpeg'],
  mpo: ['image/mpo'],
  nef: ['image/x-nikon-nef'],
  orf: ['image/x-olympus-orf'],
  png: ['image/png'],
  psd: ['image/vnd.adobe.photoshop'],
  raf: ['image/x-fuji-raf'],
  rw2: ['image/x-panasonic-rw2'],
  tiff: ['image/tiff'],
  txt: [undefined],
  unknown: [undefined],
  webp: ['image/webp'],
  xmp: ['application/rdf+xml'],
}

/** An extension that the manifest calls a mismatch and that is honest by all brands. */
const HONEST = new Set(['misnamed/compatible-brands.heic'])

describe.skipIf(!existsSync(MANIFEST))('the shared photos (../shared/photos; skipped where they are absent)', () => {
  const { files: entries }: { files: Entry[] } = existsSync(MANIFEST)
    ? JSON.parse(readFileSync(MANIFEST, 'utf8'))
    : { files: [] }
  const read = ({ path }: Entry): Buffer => readFileSync(new URL(encodeURI(path).replaceAll('#', '%23'), PHOTOS))

  it.each(entries)('$path is $true_type', (entry) => {
    const file = read(entry)
    const kind = sniff(file.subarray(0, HEAD_BYTES), file.length)
    expect(KINDS_OF[entry.true_type]).toContain(kind)
    expect(extensionLies(entry.path, kind)).toBe(!entry.extension_matches && !HONEST.has(entry.path))
  })

  it('needs only 4 KiB, but for MPO', () => {
    for (const entry of entries.filter(({ true_type }) => true_type !== 'mpo')) {
      const kind = sniff(read(entry).subarray(0, SNIFF_BYTES), entry.bytes)
      expect(KINDS_OF[entry.true_type], entry.path).toContain(kind)
    }
  })

  it('throws at no truncation of a real head', () => {
    for (const entry of entries) {
      const head = read(entry).subarray(0, 600)
      for (let length = 0; length < head.length; length += 7) sniff(head.subarray(0, length), entry.bytes)
    }
  })
})
