import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { classOf, KINDS, type Kind } from '../../src/hash/kinds.ts'
import { SNIFF_BYTES, sniff, sniffRare } from '../../src/hash/sniff.ts'
import { ascii, brands, bytes, concat, multiPicture, tiff, zeros } from './heads.ts'

const kindOf = (head: Uint8Array, size = head.length): Kind | undefined => sniff(head, size)

describe('sniff', () => {
  it.each<[string, Uint8Array, Kind | undefined]>([
    ['JPEG', bytes('ffd8ffe000104a464946'), 'image/jpeg'],
    ['MPO of a stereo pair', multiPicture(0x02_0002), 'image/mpo'],
    ['a JPEG with a gain map', multiPicture(0), 'image/jpeg'],
    ['a JPEG with a large preview', multiPicture(0x01_0002), 'image/jpeg'],
    ['PNG', bytes('89504e470d0a1a0a0000000d49484452'), 'image/png'],
    ['a PNG cut in its signature', bytes('89504e470d0a'), undefined],
    [
      'APNG',
      concat(bytes('89504e470d0a1a0a0000000d49484452'), zeros(17), bytes('000000086163544c'), zeros(12)),
      'image/apng',
    ],
    [
      'a PNG with animation control behind its picture',
      concat(bytes('89504e470d0a1a0a0000000049444154'), zeros(4), bytes('000000086163544c'), zeros(12)),
      'image/png',
    ],
    ['GIF', ascii('GIF89a'), 'image/gif'],
    ['WebP', ascii('RIFF\0\0\0\0WEBPVP8 '), 'image/webp'],
    ['JPEG XL codestream', bytes('ff0afa1f'), 'image/jxl'],
    ['JPEG XL container', bytes('0000000c4a584c200d0a870a'), 'image/jxl'],
    ['JPEG 2000', concat(bytes('0000000c6a5020200d0a870a'), brands('jp2 ')), 'image/jp2'],
    ['JPEG 2000 part 2', concat(bytes('0000000c6a5020200d0a870a'), brands('jpx ')), 'image/jpx'],
    ['Motion JPEG 2000', concat(bytes('0000000c6a5020200d0a870a'), brands('mjp2')), 'video/mj2'],
    ['JPEG 2000 codestream', bytes('ff4fff510029'), 'image/j2c'],
    ['JPEG XR', bytes('4949bc01'), 'image/jxr'],
    ['BMP', concat(ascii('BM'), zeros(12), bytes('28000000')), 'image/bmp'],
    ['prose that begins BM', ascii('BM is what we call it, and this goes on'), undefined],
    ['PSD', bytes('384250530001'), 'image/vnd.adobe.photoshop'],
    ['PSB', bytes('384250530002'), 'image/vnd.adobe.photoshop'],
    ['ICO', concat(bytes('00000100010020200000010020000000000016000000')), 'image/vnd.microsoft.icon'],
    ['an icon without pictures', concat(bytes('0000010000000000'), bytes('00000000000000000000ffff0000')), undefined],
    ['an icon whose picture lies in its entries', concat(bytes('0000010001002020'), zeros(40)), undefined],
    ['an icon with a byte set that is reserved', bytes('00000100010020200001010020000000000016000000'), undefined],
    ['OpenEXR', bytes('762f310102000000'), 'image/x-exr'],
    ['CRW', concat(bytes('49491a000000'), ascii('HEAPCCDR')), 'image/x-canon-crw'],
    ['CR2', concat(bytes('49492a0010000000'), ascii('CR\x02\0')), 'image/x-canon-cr2'],
    ['RAF', ascii('FUJIFILMCCD-RAW 0201'), 'image/x-fuji-raf'],
    ['ORF', bytes('4949524f08000000'), 'image/x-olympus-orf'],
    ['ORF of the E-300', bytes('4949525308000000'), 'image/x-olympus-orf'],
    ['ORF, big-endian', bytes('4d4d4f5200000008'), 'image/x-olympus-orf'],
    ['X3F', ascii('FOVb\0\0\x03\0'), 'image/x-sigma-x3f'],
    ['MRW', ascii('\0MRM'), 'image/x-minolta-mrw'],
    ['IIQ', concat(bytes('49492a0010000000'), ascii('IIIITwaR')), 'image/x-phaseone-iiq'],
    ['IIQ, big-endian', concat(bytes('4d4d002a00000010'), ascii('MMMMRawT')), 'image/x-phaseone-iiq'],
    ['AVI', ascii('RIFF\0\0\0\0AVI LIST'), 'video/x-msvideo'],
    ['WAV', ascii('RIFF\0\0\0\0WAVEfmt '), 'audio/wav'],
    [
      'Matroska',
      concat(bytes('1a45dfa3a34286810142f7810142f2810442f381084282'), bytes('88'), ascii('matroska')),
      'video/matroska',
    ],
    ['WebM', concat(bytes('1a45dfa39f4286810142f7810142f2810442f381084282'), bytes('84'), ascii('webm')), 'video/webm'],
    ['MPEG program stream', bytes('000001ba2100'), 'video/mpeg'],
    ['MPEG elementary stream', bytes('000001b31600'), 'video/mpeg'],
    ['MPEG transport stream', concat(ascii('G'), zeros(187), ascii('G'), zeros(187), ascii('G')), 'video/mp2t'],
    ['AVCHD', concat(zeros(4), ascii('G'), zeros(191), ascii('G'), zeros(191), ascii('G')), 'video/mp2t'],
    ['prose that begins G', ascii('G'.padEnd(600, 'o')), undefined],
    ['prose with a G where the third packet were', ascii(`${'G'.padEnd(376, 'o')}G`), undefined],
    ['FLV', ascii('FLV\x01'), 'video/x-flv'],
    ['ASF', bytes('3026b2758e66cf11'), 'video/x-ms-wmv'],
    ['WMA', concat(bytes('3026b2758e66cf11'), zeros(40), bytes('409e69f84d5bcf11')), 'audio/x-ms-wma'],
    ['Ogg video', concat(ascii('OggS'), zeros(24), ascii('\x80theora')), 'video/ogg'],
    ['Ogg audio', concat(ascii('OggS'), zeros(24), ascii('\x01vorbis')), 'audio/ogg'],
    ['DV', bytes('1f07003f'), 'video/x-dv'],
    ['MXF', bytes('060e2b34020501010d010201'), 'application/mxf'],
    ['PDF', ascii('%PDF-1.7'), 'application/pdf'],
    ['ZIP', ascii('PK\x03\x04'), 'application/zip'],
    ['prose', ascii('Dear diary'), undefined],
    ['zeros', zeros(2000), undefined],
    ['nothing', zeros(0), undefined],
  ])('knows %s', (_, head, kind) => {
    expect(kindOf(head)).toBe(kind)
  })

  it.each<[string, Uint8Array, Kind]>([
    ['the major one', brands('heic', 'mif1', 'heic'), 'image/heic'],
    ['a HEIF whose codec is HEVC', brands('mif1', 'mif1', 'heic'), 'image/heic'],
    ['a HEIF whose codec is AV1', brands('mif1', 'avif', 'miaf'), 'image/avif'],
    ['an image sequence', brands('msf1', 'msf1', 'hevc'), 'image/heic'],
    ['an AVIF sequence', brands('avis', 'mif1', 'avif', 'msf1'), 'image/avif'],
    ['a HEIF that lists an MP4 brand first', brands('mif1', 'iso4', 'heix'), 'image/heic'],
    ['multiview HEVC', brands('mif1', 'heim'), 'image/heic'],
    ['a HEIF without a codec', brands('mif1', 'MiHB'), 'image/heif'],
    ['a HEIF by its compatible brands alone', brands('zzzz', 'mif1'), 'image/heif'],
    ['an unknown major one beside HEVC', brands('hhhh', 'mif1', 'MiHE', 'heic'), 'image/heic'],
    ['Canon raw', brands('crx ', 'crx ', 'isom'), 'image/x-canon-cr3'],
    ['QuickTime', brands('qt  ', 'qt  '), 'video/quicktime'],
    ['an Android MP4 that lists 3GPP', brands('isom', 'isom', '3gp4'), 'video/mp4'],
    ['M4V', brands('M4V ', 'isom'), 'video/x-m4v'],
    ['3GPP', brands('3gp5', '3gp5'), 'video/3gpp'],
    ['3GPP2', brands('3g2a', '3g2a'), 'video/3gpp2'],
    ['audio alone', brands('M4A ', 'mp42'), 'audio/mp4'],
    ['brands that nobody knows', brands('zzzz', 'yyyy'), 'video/mp4'],
  ])('goes by all brands: %s', (_, head, kind) => {
    expect(kindOf(head)).toBe(kind)
  })

  it.each(['moov', 'mdat', 'wide', 'free', 'skip', 'pnot'])(
    'knows a QuickTime without ftyp that begins with %s',
    (atom) => {
      expect(kindOf(concat(bytes('00000014'), ascii(atom), zeros(100)))).toBe('video/quicktime')
    },
  )

  it('takes prose with an atom name in it for prose', () => {
    expect(kindOf(ascii('The wide road and the free man'))).toBeUndefined()
  })

  it.each<[string, Uint8Array, Kind]>([
    ['NEF', tiff({ make: 'NIKON CORPORATION', model: 'NIKON D850', subfile: 1, subIfds: true }), 'image/x-nikon-nef'],
    ['NEF of an old Coolpix', tiff({ make: 'NIKON', model: 'E5700', subfile: 1, subIfds: true }), 'image/x-nikon-nef'],
    ['NRW', tiff({ make: 'NIKON', model: 'COOLPIX P7000', subfile: 1, subIfds: true }), 'image/x-nikon-nrw'],
    ['ARW', tiff({ make: 'SONY', model: 'ILCE-7M3', subfile: 1, subIfds: true, compression: 6 }), 'image/x-sony-arw'],
    ['SR2', tiff({ make: 'SONY', model: 'DSC-R1', subfile: 1, subIfds: true }), 'image/x-sony-sr2'],
    ['SRF', tiff({ make: 'SONY', model: 'DSC-F828', subfile: 1, compression: 6 }), 'image/x-sony-srf'],
    ['PEF', tiff({ make: 'PENTAX', model: 'PENTAX K-5', compression: 65535 }), 'image/x-pentax-pef'],
    ['PEF, packed', tiff({ make: 'RICOH IMAGING COMPANY, LTD.', photometric: 32803 }), 'image/x-pentax-pef'],
    ['SRW', tiff({ make: 'SAMSUNG', model: 'NX1', subfile: 1, subIfds: true }), 'image/x-samsung-srw'],
    ['3FR', tiff({ make: 'Hasselblad', model: 'H6D', subfile: 1, subIfds: true }), 'image/x-hasselblad-3fr'],
    ['ERF', tiff({ make: 'SEIKO EPSON CORP.', model: 'R-D1', subfile: 1, subIfds: true }), 'image/x-epson-erf'],
    ['MEF', tiff({ make: 'Mamiya-OP Co.,Ltd.', subfile: 1, subIfds: true }), 'image/x-mamiya-mef'],
    ['MOS', tiff({ make: 'Leaf', leafData: true }), 'image/x-leaf-mos'],
    [
      'KDC',
      tiff({ make: 'Eastman Kodak Company', model: 'Kodak DC120', subfile: 1, subIfds: true }),
      'image/x-kodak-kdc',
    ],
    ['DCR', tiff({ make: 'Kodak', model: 'DCS Pro SLR/n', compression: 65000 }), 'image/x-kodak-dcr'],
    ['DNG', tiff({ make: 'Leica Camera AG', dng: true, photometric: 32803 }), 'image/x-adobe-dng'],
    [
      'DNG converted from a NEF',
      tiff({ make: 'NIKON CORPORATION', subfile: 1, subIfds: true, dng: true }),
      'image/x-adobe-dng',
    ],
    ['GPR', tiff({ make: 'GoPro', dng: true }), 'image/x-gopro-gpr'],
    ['RW2', tiff({ make: 'Panasonic', magic: 0x55 }), 'image/x-panasonic-rw2'],
    ['RWL', tiff({ make: 'LEICA CAMERA AG', magic: 0x55 }), 'image/x-leica-rwl'],
    ['BigTIFF whose offsets read otherwise', tiff({ make: 'NIKON', dng: true, magic: 43 }), 'image/tiff'],
    ['NEF cut before its make', tiff({ subfile: 1, width: 160, height: 120 }), 'image/x-nikon-nef'],
    ['TIFF of another size without a make', tiff({ subfile: 1, width: 320, height: 240 }), 'image/tiff'],
    ['BigTIFF', bytes('49492b00080000001000000000000000'), 'image/tiff'],
    ['TIFF cut after its header', bytes('49492a0008000000'), 'image/tiff'],
  ])('tells raws apart by IFD0: %s', (_, head, kind) => {
    expect(kindOf(head)).toBe(kind)
  })

  it.each<[string, Uint8Array]>([
    ["a scanner's", tiff({ make: 'Nikon', model: 'Nikon COOLSCAN V ED' })],
    [
      'one saved from a NEF by an editor',
      tiff({ make: 'NIKON CORPORATION', model: 'NIKON D850', subfile: 0, compression: 5 }),
    ],
    [
      'one with reduced pictures in sub-directories',
      tiff({ make: 'SONY', model: 'ILCE-7M3', subfile: 0, subIfds: true }),
    ],
    ["an Epson scanner's", tiff({ make: 'EPSON', model: 'Perfection V700' })],
  ])('takes a TIFF with a camera maker in it for a TIFF: %s', (_, head) => {
    expect(kindOf(head)).toBe('image/tiff')
  })

  it('knows a NEF whose first directory was moved to the end by the one left at byte 8', () => {
    const head = tiff({ make: 'NIKON CORPORATION', model: 'NIKON D90', subfile: 1, subIfds: true })
    new DataView(head.buffer).setUint32(4, 0x0172_3d30, true)
    expect(kindOf(head, 24_300_000)).toBe('image/x-nikon-nef')
  })

  it.each<[string, Uint8Array, Kind]>([
    ['XMP in a packet', ascii('<?xpacket begin="" id="W5M0"?><x:xmpmeta>'), 'application/rdf+xml'],
    ['XMP without one', ascii('<x:xmpmeta xmlns:x="adobe:ns:meta/">'), 'application/rdf+xml'],
    ['XMP as bare RDF', ascii('<?xml version="1.0"?>\n<rdf:RDF xmlns:rdf="">'), 'application/rdf+xml'],
    ['XMP in UTF-8 with a mark', concat(bytes('efbbbf'), ascii('<x:xmpmeta >')), 'application/rdf+xml'],
    ['XMP in UTF-16LE', new Uint8Array(Buffer.from('\ufeff<x:xmpmeta >', 'utf16le')), 'application/rdf+xml'],
    ['XMP in UTF-16BE', new Uint8Array(Buffer.from('\ufeff<x:xmpmeta >', 'utf16le').swap16()), 'application/rdf+xml'],
    [
      'AAE',
      ascii('<?xml version="1.0"?><plist><dict><key>adjustmentFormatIdentifier</key>'),
      'application/x-apple-adjustments+xml',
    ],
    [
      'AAE as a binary property list',
      ascii('bplist00\xd4_\x10\x1aadjustmentFormatIdentifier'),
      'application/x-apple-adjustments+xml',
    ],
    ['Takeout', ascii('{"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}}'), 'application/x-google-takeout+json'],
    ["an album's metadata", ascii('{\n "title": "Album", "date": {}}'), 'application/json'],
    ['JSON list', ascii(' [ {"a": 1} ]'), 'application/json'],
    [
      "Sony's clip metadata",
      ascii('<?xml version="1.0"?>\n<NonRealTimeMeta xmlns="">'),
      'application/x-camera-clip+xml',
    ],
    ['XML', ascii('<?xml version="1.0"?><note/>'), 'application/xml'],
    ['SVG, which is no photo', ascii('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml'],
    ['SVG with XMP in it', ascii('<?xml version="1.0"?><svg ><metadata><rdf:RDF >'), 'image/svg+xml'],
  ])('knows sidecars by their content: %s', (_, head, kind) => {
    expect(kindOf(head)).toBe(kind)
  })

  it('takes prose in brackets for prose', () => {
    expect(kindOf(ascii('[Verse 1]'))).toBeUndefined()
    expect(kindOf(ascii('{hello}'))).toBeUndefined()
  })

  it('names only kinds of the table', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (head) => {
        const kind = kindOf(head)
        expect(kind === undefined || kind in KINDS).toBe(true)
      }),
    )
  })

  it('never throws and ends, whatever follows a signature', () => {
    const signatures = [
      'ffd8ffe2',
      '89504e470d0a1a0a',
      '49492a00',
      '4d4d002a',
      '49495500',
      '52494646',
      '1a45dfa3',
      '0000000c6a502020',
      '00000018667479706d696631',
      '4f676753',
      '3026b275',
      'fffe3c00',
      '3c',
      '7b',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...signatures),
        fc.uint8Array({ maxLength: 5000 }),
        fc.nat(),
        (signature, rest, size) => {
          const head = concat(bytes(signature), rest)
          expect(() => sniff(head, size)).not.toThrow()
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('reads nothing outside its head', () => {
    const all = concat(bytes('ffd8ffe20000'), ascii('MPF\0'), tiff({ make: 'NIKON', subfile: 1, subIfds: true }))
    fc.assert(
      fc.property(fc.nat(all.length), fc.nat(all.length), (from, to) => {
        const window = all.subarray(Math.min(from, to), Math.max(from, to))
        expect(sniff(window, 1e6)).toBe(sniff(window.slice(), 1e6))
      }),
    )
  })

  it('ends in time on 64 KiB of markers, chunks and entries', () => {
    const hostile = [
      concat(bytes('ffd8'), new Uint8Array(65_536).fill(0xff)),
      concat(bytes('89504e470d0a1a0a'), zeros(65_536)),
      concat(bytes('49492a0008000000ffff'), zeros(65_536)),
    ]
    const start = performance.now()
    for (const head of hostile) sniff(head, head.length)
    expect(performance.now() - start).toBeLessThan(100)
  })
})

describe('sniffRare', () => {
  it('asks file-type for what sniff does not know', async () => {
    const icns = concat(ascii('icns'), zeros(60))
    expect(sniff(icns, icns.length)).toBeUndefined()
    const kind = await sniffRare(icns)
    expect(kind).toBe('image/icns')
    expect(kind && classOf(kind)).toBe('image')
  })

  it('names images and videos only, and throws for nothing', async () => {
    expect(await sniffRare(ascii('fLaC'))).toBeUndefined()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: SNIFF_BYTES }), async (head) => void (await sniffRare(head))),
    )
  })

  it('names nothing when file-type gives up', async () => {
    vi.doMock('file-type', () => ({ fileTypeFromBuffer: () => Promise.reject(new Error('End-Of-Stream')) }))
    onTestFinished(() => {
      vi.doUnmock('file-type')
    })
    expect(await sniffRare(zeros(9))).toBeUndefined()
  })
})
