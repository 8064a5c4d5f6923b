import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { KINDS } from '../../src/hash/kinds.ts'
import { sniff } from '../../src/hash/sniff.ts'
import { captured, type CapturedOptions, type Captured, type TakenAt } from '../../src/media/captured.ts'
import { ascii, brands, bytes, concat, tiff, zeros } from '../hash/heads.ts'
import {
  box,
  heap,
  exif,
  jpegWith,
  movieHeader,
  PNG_SIGNATURE,
  pngChunk,
  riffChunk,
  segment,
  u16be,
  u32be,
  u32le,
} from './containers.ts'
import type { ReadAt } from '../../src/media/window.ts'

const PHOTOS = new URL('../../fixtures/photos/', import.meta.url)
const EPOCH_SECONDS = 2_082_844_800

const at = (text: string, offsetMinutes?: number): TakenAt => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text.split(/\D/).map(Number)
  return { year, month, day, hour, minute, second, ...(offsetMinutes !== undefined && { offsetMinutes }) }
}

/** What `captured` makes of a whole file by its own kind. */
function of(file: Uint8Array, options: CapturedOptions = { bytes: file.length }): Captured {
  return captured(file, sniff(file, file.length) ?? 'application/octet-stream', options)
}

/** As `of`, but only the first bytes are in memory and the others are read. */
function reading(file: Uint8Array, head: number): { result: Captured; readAt: ReturnType<typeof vi.fn> } {
  const readAt = vi.fn((offset: number, length: number) => file.subarray(offset, offset + length))
  const kind = sniff(file, file.length) ?? 'application/octet-stream'
  return { result: captured(file.subarray(0, head), kind, { readAt, bytes: file.length }), readAt }
}

const TAKEN = '2024:05:01 10:00:00'
const CAMERA = { make: 'Canon', model: 'Canon EOS R5' }
const TIFF = exif({ original: TAKEN, ...CAMERA })
const EXPECTED: Captured = { takenAt: at(TAKEN), from: 'exif', camera: CAMERA }

describe('captured, of the fixtures', () => {
  it.each<[string, Captured]>([
    ['DCIM/100CANON/IMG_0001.JPG', { takenAt: at(TAKEN, 120), from: 'exif', camera: CAMERA }],
    ['DCIM/100CANON/IMG_0003.CR2', { takenAt: at('2024:05:01 10:02:30', 120), from: 'exif', camera: CAMERA }],
    ['DCIM/100CANON/IMG_0003.xmp', { takenAt: at('2024:05:01 10:02:30', 120), from: 'xmp' }],
    [
      'DCIM/102APPLE/IMG_0001.HEIC',
      { takenAt: at('2024:06:09 18:30:05', 540), from: 'exif', camera: { make: 'Apple', model: 'iPhone 15 Pro' } },
    ],
    ['DCIM/102APPLE/IMG_0001.MOV', { takenAt: at('2024:06:09 18:30:04', 540), from: 'quicktime' }],
    ['DCIM/102APPLE/IMG_0003.MP4', { takenAt: at('2024:06:09 09:40:00', 0), from: 'quicktime' }],
    [
      'Export/scan.tif',
      {
        takenAt: at('1998:12:31 23:59:59'),
        from: 'exif-changed',
        camera: { make: 'Nikon', model: 'Nikon LS-5000 ED' },
      },
    ],
    ['Export/logo.gif', {}],
    ['Export/fin%20de%20journ%C3%A9e.jpg', {}],
    [
      'Takeout/Google%20Photos/Photos%20from%202023/PXL_20230704_100000123.PORTRAIT.jpg.supplement.json',
      { takenAt: at('2023:07:04 10:00:00', 0), from: 'takeout' },
    ],
  ])('%s', (path, expected) => {
    expect(of(readFileSync(new URL(path, PHOTOS)))).toEqual(expected)
  })
})

describe('captured, of Exif', () => {
  it.each<[string, Parameters<typeof exif>[0], Captured]>([
    [
      'prefers the original date',
      { original: TAKEN, digitized: '2025:01:01 00:00:00', changed: '2026:01:01 00:00:00' },
      { takenAt: at(TAKEN), from: 'exif' },
    ],
    [
      'takes the digitized one without it',
      { digitized: TAKEN, changed: '2026:01:01 00:00:00' },
      { takenAt: at(TAKEN), from: 'exif' },
    ],
    [
      'takes the last change without both, and says so',
      { changed: TAKEN },
      { takenAt: at(TAKEN), from: 'exif-changed' },
    ],
    [
      'takes zeros for none',
      { original: '0000:00:00 00:00:00', digitized: TAKEN },
      { takenAt: at(TAKEN), from: 'exif' },
    ],
    ['takes blanks for none', { original: '    :  :     :  :  ' }, {}],
    [
      'takes the original date of IFD0, as TIFF/EP has it',
      { originalOfIfd0: TAKEN, digitized: '2025:01:01 00:00:00' },
      { takenAt: at(TAKEN), from: 'exif' },
    ],
    ['reads the offset', { original: TAKEN, offset: '-07:00' }, { takenAt: at(TAKEN, -420), from: 'exif' }],
    ['keeps control characters out of names', { make: 'Ca\x1b[31mnon\0\0' }, { camera: { make: 'Ca [31mnon' } }],
  ])('%s', (_, tags, expected) => {
    expect(of(jpegWith(exif(tags)))).toEqual(expected)
  })

  it('reads UTF-8 in names, and latin1 where that is none', () => {
    expect(of(jpegWith(exif({ model: 'Cam\xc3\xa9ra' }))).camera).toEqual({ model: 'Caméra' })
    expect(of(jpegWith(exif({ model: 'Cam\xe9ra' }))).camera).toEqual({ model: 'Caméra' })
  })

  const RAF = concat(ascii('FUJIFILMCCD-RAW '.padEnd(84, '\0')), u32be(200), zeros(112), jpegWith(TIFF))
  const MRW = concat(
    ascii('\0MRM'),
    u32be(500),
    ascii('\0PRD'),
    u32be(8),
    zeros(8),
    ascii('\0TTW'),
    u32be(TIFF.length),
    TIFF,
  )
  const CANON_BOX = concat(
    bytes('85c0b687820f11e08111f4ce462b6a48'),
    box('CMT1', exif(CAMERA)),
    box('CMT2', exif({ original: TAKEN })),
  )
  const CRW = concat(
    bytes('49491a000000'),
    ascii('HEAPCCDR'),
    zeros(12),
    heap(
      [0x2005, zeros(500)],
      [
        0x300a,
        heap(
          [0x180e, u32le(Date.UTC(2024, 4, 1, 10) / 1000)],
          [0x2807, heap([0x080a, ascii('Canon\0Canon EOS R5\0')])],
        ),
      ],
    ),
  )
  const ITEM = concat(u32be(0), TIFF)
  const INNER_JPEG = concat(
    bytes('4949550008000000'),
    bytes('01002e00040001000000'),
    u32le(64),
    zeros(42),
    jpegWith(TIFF),
  )

  it.each([
    ['a JPEG', jpegWith(TIFF)],
    [
      'a JPEG with 200 kB of a phone before it',
      jpegWith(TIFF, ...Array.from({ length: 3 }, () => segment(0xe6, zeros(65_000)))),
    ],
    ['a JPEG with fill bytes', jpegWith(TIFF, bytes('ffffff'))],
    ['a TIFF', TIFF],
    ['a PNG', concat(PNG_SIGNATURE, pngChunk('IHDR', zeros(13)), pngChunk('eXIf', TIFF))],
    [
      'a WebP, behind the picture',
      concat(
        ascii('RIFF\0\0\0\0WEBP'),
        riffChunk('VP8X', bytes('08000000000000000000')),
        riffChunk('VP8 ', zeros(301)),
        riffChunk('EXIF', TIFF),
      ),
    ],
    [
      'a WebP by a writer that repeats the mark of JPEG',
      concat(
        ascii('RIFF\0\0\0\0WEBP'),
        riffChunk('VP8X', bytes('08000000000000000000')),
        riffChunk('EXIF', concat(ascii('Exif\0\0'), TIFF)),
      ),
    ],
    ['a JPEG XL', concat(bytes('0000000c4a584c200d0a870a'), brands('jxl '), box('Exif', ITEM), box('jxlc', zeros(9)))],
    [
      'a CR3',
      concat(
        brands('crx '),
        box('moov', box('uuid', zeros(16), box('CMT1', exif({ make: 'not Canon' }))), box('uuid', CANON_BOX)),
      ),
    ],
    ['a RAF', RAF],
    ['an MRW', MRW],
    ['an RW2, in its JPEG', INNER_JPEG],
    ['a CRW', CRW],
  ])('finds it in %s, in memory and behind the head', (_, file) => {
    expect(of(file)).toEqual(EXPECTED)
    const isPng = file[0] === 0x89
    if (!isPng) expect(reading(file, 64).result).toEqual(EXPECTED)
  })

  it.each([
    ['hexadecimal', (digits: string) => pngChunk('tEXt', ascii(`Raw profile type exif\0${digits}`))],
    [
      'hexadecimal, compressed',
      (digits: string) => pngChunk('zTXt', concat(ascii('Raw profile type APP1\0\0'), deflateSync(digits))),
    ],
  ])('finds it in a PNG as %s', (_, chunk) => {
    const profile = Buffer.concat([Buffer.from('Exif\0\0'), TIFF])
    const digits = `\nexif\n    ${profile.length}\n${profile.toString('hex').replaceAll(/.{72}/g, '$&\n')}\n`
    expect(of(concat(PNG_SIGNATURE, chunk(digits)))).toEqual(EXPECTED)
  })

  it('inflates no more of a profile than 512 KiB', () => {
    const digits = `exif 1 ${'\n'.repeat(600_000)}${Buffer.from(TIFF).toString('hex')}`
    const profile = (text: string): Uint8Array =>
      concat(PNG_SIGNATURE, pngChunk('zTXt', concat(ascii('Raw profile type exif\0\0'), deflateSync(text))))
    expect(of(profile(digits.replaceAll(/\n+/g, '\n')))).toEqual(EXPECTED)
    expect(of(profile(digits))).toEqual({})
  })

  it('takes the Creation Time of a PNG without it', () => {
    const png = concat(PNG_SIGNATURE, pngChunk('tEXt', ascii(`Creation Time\0${TAKEN}`)), pngChunk('IDAT', zeros(9)))
    expect(of(png)).toEqual({ takenAt: at(TAKEN), from: 'exif' })
  })

  it('finds directories that lie far behind the head', () => {
    const far = exif({ original: TAKEN, ...CAMERA, gap: 3_000_000 })
    const { result, readAt } = reading(far, 65_536)
    expect(result).toEqual(EXPECTED)
    expect(readAt.mock.calls.length).toBeLessThan(4)
  })

  it('reads nothing of a file that is in memory', () => {
    const { result, readAt } = reading(bytes('ffd8ffe000104a464946'), 10)
    expect(result).toEqual({})
    expect(readAt).not.toHaveBeenCalled()
  })

  it('takes no more than 128 bytes for a name', () => {
    const model = of(jpegWith(exif({ model: 'x'.repeat(5000) }))).camera?.model
    expect(model).toHaveLength(128)
  })

  it('reads nothing more of a WebP that announces none', () => {
    const chunks = Array.from({ length: 9 }, () => riffChunk('ANMF', zeros(20_000)))
    const webp = concat(ascii('RIFF\0\0\0\0WEBP'), riffChunk('VP8X', bytes('02000000000000000000')), ...chunks)
    expect(reading(webp, 65_536).readAt).not.toHaveBeenCalled()
  })

  it('reads nothing more of a JPEG than its head', () => {
    expect(reading(concat(jpegWith(TIFF), zeros(500_000)), 65_536).readAt).not.toHaveBeenCalled()
  })
})

describe('captured, of a HEIF', () => {
  const item = concat(u32be(6), ascii('Exif\0\0'), TIFF)
  const entry = (id: number, type: string): Uint8Array =>
    box('infe', bytes('02000000'), u16be(id), zeros(2), ascii(type), zeros(1))
  const location = (id: number, offset: number, method = 0): Uint8Array =>
    concat(u16be(id), u16be(method), zeros(2), u16be(1), u32be(offset), u32be(item.length))
  const heif = (major: string, offset: number, method = 0): Uint8Array =>
    concat(
      brands(major, 'mif1', major),
      box(
        'meta',
        zeros(4),
        box('hdlr', zeros(24)),
        box('iinf', zeros(4), u16be(2), entry(1, 'hvc1'), entry(2, 'Exif')),
        box('iloc', bytes('01000000'), bytes('4400'), u16be(2), location(1, 9999), location(2, offset, method)),
      ),
    )

  it.each(['heic', 'avif'])('finds the Exif item of a %s', (major) => {
    const tables = heif(major, 0)
    const file = concat(heif(major, tables.length + 8), box('mdat', item))
    expect(of(file)).toEqual(EXPECTED)
  })

  it('finds it at the end of the file', () => {
    const file = concat(heif('heic', 300_000), box('mdat', zeros(400_000)))
    file.set(item, 300_000)
    const { result, readAt } = reading(file, 65_536)
    expect(result).toEqual(EXPECTED)
    expect(readAt).toHaveBeenCalledTimes(1)
  })

  it('finds it in tables with long numbers, as large panoramas have', () => {
    const info = box('infe', bytes('03000000'), u32be(70_000), zeros(2), ascii('Exif'), zeros(1))
    const place = (offset: number): Uint8Array =>
      concat(
        bytes('02000000'),
        bytes('8880'),
        u32be(1),
        u32be(70_000),
        zeros(4),
        zeros(4),
        u32be(16),
        u16be(1),
        zeros(4),
        u32be(offset - 16),
        zeros(8),
      )
    const meta = (offset: number): Uint8Array =>
      concat(
        brands('heic'),
        box('meta', zeros(4), box('iinf', bytes('01000000'), u32be(1), info), box('iloc', place(offset))),
      )
    expect(of(concat(meta(meta(99).length + 8), box('mdat', item)))).toEqual(EXPECTED)
  })

  it('leaves an item alone that is kept elsewhere, though its offset would do', () => {
    const tables = heif('heic', 0, 1)
    expect(of(concat(heif('heic', tables.length + 8, 1), box('mdat', item)))).toEqual({})
  })

  it('reads 256 KiB at most of a location table that claims a gigabyte', () => {
    const meta = concat(
      zeros(4),
      box('iinf', zeros(4), u16be(1), entry(2, 'Exif')),
      u32be(2 ** 30),
      ascii('iloc'),
      zeros(70_000),
    )
    const { readAt } = reading(concat(brands('heic'), u32be(2 ** 31), ascii('meta'), meta), 300)
    const lengths = readAt.mock.calls.map(([, length]) => Number(length))
    expect(Math.max(...lengths)).toBe(262_144)
  })

  it("takes a sequence's movie without one", () => {
    const file = concat(brands('avis', 'avif'), box('moov', movieHeader(EPOCH_SECONDS + 1_714_557_600)))
    expect(of(file)).toEqual({ takenAt: at(TAKEN, 0), from: 'quicktime' })
  })
})

describe('captured, of a movie', () => {
  const created = (seconds: number): Uint8Array => concat(brands('mp42'), box('moov', movieHeader(seconds)))
  const UTC_SECONDS = Date.UTC(2024, 4, 1, 10) / 1000
  const userDay = (day: string): Uint8Array => box('udta', box('\xa9day', u16be(day.length), u16be(0), ascii(day)))

  it('takes the header for UTC', () => {
    expect(of(created(EPOCH_SECONDS + UTC_SECONDS))).toEqual({ takenAt: at(TAKEN, 0), from: 'quicktime' })
  })

  it('knows a header that counts from 1970', () => {
    expect(of(created(UTC_SECONDS))).toEqual({ takenAt: at(TAKEN, 0), from: 'quicktime' })
  })

  it.each([0, 3600, EPOCH_SECONDS])('takes %d seconds for a clock that was never set', (seconds) => {
    expect(of(created(seconds))).toEqual({})
  })

  it('reads 64-bit headers and sizes', () => {
    const long = box('mvhd', bytes('01000000'), u32be(0), u32be(EPOCH_SECONDS + UTC_SECONDS), zeros(96))
    const media = concat(u32be(1), ascii('mdat'), u32be(0), u32be(16 + 50), zeros(50))
    expect(of(concat(brands('qt  '), media, box('moov', long))).takenAt).toEqual(at(TAKEN, 0))
  })

  it("prefers the movie's own date to the header, and not a release's", () => {
    const withDay = (day: string): Uint8Array =>
      concat(brands('qt  '), box('moov', movieHeader(EPOCH_SECONDS + UTC_SECONDS), userDay(day)))
    expect(of(withDay('2019-07-24T11:25:40+0300')).takenAt).toEqual(at('2019:07:24 11:25:40', 180))
    expect(of(withDay('2019-07-24')).takenAt).toEqual(at(TAKEN, 0))
  })

  it('finds moov behind the picture data with few reads', () => {
    const file = concat(
      brands('qt  '),
      box('wide'),
      box('mdat', zeros(2_000_000)),
      box('moov', movieHeader(EPOCH_SECONDS + UTC_SECONDS)),
    )
    const { result, readAt } = reading(file, 65_536)
    expect(result.takenAt).toEqual(at(TAKEN, 0))
    expect(readAt.mock.calls.length).toBeLessThan(4)
  })

  it('finds nothing behind the head without a way to read it', () => {
    const file = concat(
      brands('qt  '),
      box('mdat', zeros(2_000_000)),
      box('moov', movieHeader(EPOCH_SECONDS + UTC_SECONDS)),
    )
    expect(captured(file.subarray(0, 65_536), 'video/quicktime')).toEqual({})
  })

  it.each([
    ['Mon Mar 10 15:04:43 2003\n', '2003:03:10 15:04:43'],
    ['SAT JAN  1 00:00:07 2005', '2005:01:01 00:00:07'],
    ['2005:08:17 11:42:43', '2005:08:17 11:42:43'],
  ])('reads the date of an AVI: %j', (text, expected) => {
    const avi = concat(ascii('RIFF\0\0\0\0AVI LIST'), zeros(80), riffChunk('IDIT', ascii(text)))
    expect(of(avi)).toEqual({ takenAt: at(expected), from: 'avi' })
  })

  it('takes an AVI without one for undated', () => {
    expect(of(concat(ascii('RIFF\0\0\0\0AVI LIST'), riffChunk('IDIT', ascii('Foo 99 nonsense'))))).toEqual({})
  })
})

describe('captured, of XMP and Takeout', () => {
  const packet = (properties: string): string =>
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF ><rdf:Description ${properties}</rdf:RDF></x:xmpmeta>`

  it.each([
    ['attributes', 'xmp:CreateDate="2026-01-01" exif:DateTimeOriginal="2024-05-01T10:00:00"/>'],
    ['single quotes', "photoshop:DateCreated='2024-05-01T10:00:00'/>"],
    ['elements', '><photoshop:DateCreated>2024-05-01T10:00:00</photoshop:DateCreated></rdf:Description>'],
    ['the old prefix', 'xap:CreateDate="2024-05-01T10:00:00"/>'],
    ['nonsense before sense', 'exif:DateTimeOriginal="2024-99-99" xmp:CreateDate="2024-05-01T10:00:00"/>'],
  ])('reads %s', (_, properties) => {
    expect(of(ascii(packet(properties)))).toEqual({ takenAt: at(TAKEN), from: 'xmp' })
  })

  it('reads UTF-16', () => {
    const sidecar = Buffer.from(`\ufeff${packet('exif:DateTimeOriginal="2024-05-01T10:00:00"/>')}`, 'utf16le')
    expect(of(sidecar).takenAt).toEqual(at(TAKEN))
    expect(of(Buffer.from(sidecar).swap16()).takenAt).toEqual(at(TAKEN))
  })

  it('reads the packet inside a picture whose Exif has no date of taking', () => {
    const jpeg = concat(
      jpegWith(exif({ changed: '2026:01:01 00:00:00', ...CAMERA })),
      ascii(packet('exif:DateTimeOriginal="2024-05-01T10:00:00"/>')),
    )
    expect(of(jpeg)).toEqual({ takenAt: at(TAKEN), from: 'xmp', camera: CAMERA })
  })

  it.each([
    ['"photoTakenTime": {"timestamp": "1714557600", "formatted": "x"}', at(TAKEN, 0)],
    ['"photoTakenTime":{"formatted": "x","timestamp":1714557600}', at(TAKEN, 0)],
    ['"photoTakenTime": {"timestamp": "-86400"}', at('1969:12:31 00:00:00', 0)],
    ['"photoTakenTime": {"timestamp": "0"}', undefined],
    ['"photoTakenTime": {}, "creationTime": {"timestamp": "1714557600"}', undefined],
  ])('reads {%s}', (fields, takenAt) => {
    expect(of(ascii(`{"title": "a.jpg", ${fields}}`)).takenAt).toEqual(takenAt)
  })
})

describe('captured, of hostile files', () => {
  const loop = exif({ original: TAKEN })
  loop.set([8, 0, 0, 0], loop.indexOf(0x69) + 8)

  it.each([
    ['a directory that points to itself', loop, 'image/tiff'],
    ['65535 entries', concat(bytes('49492a0008000000ffff'), zeros(500)), 'image/tiff'],
    ['text of 4 GB', tiff({ make: 'x'.repeat(200) }), 'image/tiff'],
    ['boxes without end', concat(...Array.from({ length: 30_000 }, () => bytes('0000000866726565'))), 'video/mp4'],
    ['a box of 2^63 bytes', concat(u32be(1), ascii('mdat'), bytes('7fffffffffffffff'), zeros(99)), 'video/mp4'],
    ['a PNG of empty chunks', concat(PNG_SIGNATURE, zeros(200_000)), 'image/png'],
    [
      'a compressed profile that is a bomb',
      concat(
        PNG_SIGNATURE,
        pngChunk('zTXt', concat(ascii('Raw profile type exif\0\0'), deflateSync(zeros(50_000_000)))),
      ),
      'image/png',
    ],
    [
      'a profile of blanks',
      concat(PNG_SIGNATURE, pngChunk('tEXt', ascii(`Raw profile type exif\0exif 12${' '.repeat(200_000)}g`))),
      'image/png',
    ],
    ['a JPEG of fill bytes', new Uint8Array(262_144).fill(0xff).with(1, 0xd8), 'image/jpeg'],
    [
      'a WebP of empty chunks',
      concat(ascii('RIFF\0\0\0\0WEBPVP8X'), u32le(10), bytes('08000000000000000000'), zeros(100_000)),
      'image/webp',
    ],
  ])('ends in time on %s', (_, file, kind) => {
    const start = performance.now()
    captured(file, kind, { readAt: () => file, bytes: 2 ** 40 })
    expect(performance.now() - start).toBeLessThan(250)
  })

  it('asks for nothing at an offset that no file has', () => {
    const readAt = vi.fn<ReadAt>(() => zeros(0))
    captured(concat(u32be(1), ascii('mdat'), bytes('7fffffffffffffff'), zeros(99)), 'video/mp4', { readAt })
    captured(tiff({ make: 'x' }).with(4, 0xff).with(7, 0xff), 'image/tiff', { readAt })
    expect(readAt.mock.calls.every(([offset]) => Number.isSafeInteger(offset) && offset <= 0xffff_ffff)).toBe(true)
  })

  it('asks for 256 KiB at most, and 64 times at most, wherever offsets point', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(KINDS)),
        fc.uint8Array({ minLength: 8, maxLength: 200 }),
        (kind, seed) => {
          const readAt = vi.fn((offset: number, length: number) => {
            expect(length).toBeLessThanOrEqual(262_144)
            expect(offset).toBeGreaterThanOrEqual(0)
            return seed
          })
          captured(seed, kind, { readAt, bytes: 1e9 })
          expect(readAt.mock.calls.length).toBeLessThanOrEqual(64)
        },
      ),
    )
  })

  it('throws at no bytes of any kind', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(KINDS)), fc.uint8Array({ maxLength: 400 }), (kind, head) => {
        expect(() => captured(head, kind, { bytes: 400 })).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })

  it('throws at no broken copy of a file with Exif', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), (length, changes) => {
        const file = jpegWith(TIFF)
        for (const [where, value] of changes) file[where % file.length] = value
        expect(() => captured(file.subarray(0, length % file.length), 'image/jpeg')).not.toThrow()
      }),
      { numRuns: 1000 },
    )
  })

  it('throws what readAt throws, for that is the disk and not the photo', () => {
    const fails = (): never => {
      throw new Error('EIO')
    }
    const file = concat(brands('qt  '), box('mdat', zeros(70_000)))
    expect(() => captured(file.subarray(0, 60_000), 'video/quicktime', { readAt: fails })).toThrow('EIO')
  })
})
