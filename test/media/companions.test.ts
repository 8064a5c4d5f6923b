import { existsSync, readdirSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupByCompanion, isSidecarName, sidecarOf, stemOf } from '../../src/media/companions.ts'

const PHOTOS = new URL('../../../shared/photos/', import.meta.url)

const grouped = (folder: string): string[][] =>
  groupByCompanion(readdirSync(new URL(`${folder}/`, PHOTOS)).toSorted()).filter(
    (group) => group.length > 1 || isSidecarName(group[0]!),
  )

describe('stemOf', () => {
  it.each([
    ['a raw, its JPEG and its movie', ['IMG_1.CR2', 'IMG_1.jpg', 'img_1.MOV', 'IMG_1.THM', 'IMG_1.xmp']],
    ["Apple's edited copy", ['IMG_0001.HEIC', 'IMG_E0001.JPG', 'IMG_O0001.AAE', 'IMG_0001.AAE']],
    ["iCloud's live photo", ['IMG_7943.HEIC', 'IMG_7943_HEVC.MOV']],
    ["Google's edited copy", ['IMG_1.jpg', 'IMG_1-edited.jpg', 'IMG_1-bearbeitet.jpg', 'IMG_1-ha editado.jpg']],
    ['an edited copy of a numbered one', ['IMG_1(1).jpg', 'IMG_1-edited(1).jpg']],
    [
      "a Pixel's raw and motion",
      [
        'PXL_20231006_063909898.RAW-01.COVER.jpg',
        'PXL_20231006_063909898.RAW-02.ORIGINAL.dng',
        'PXL_20231006_063909898.MP',
        'PXL_20231006_063909898.MP~2.jpg',
      ],
    ],
    ['normal forms', ['fin de journ\u00e9e.jpg', 'fin de journe\u0301e.CR2']],
  ])('is one for %s', (_, names) => {
    expect(new Set(names.map(stemOf)).size).toBe(1)
  })

  it.each([
    ['a numbered one', ['IMG_1.jpg', 'IMG_1(1).jpg', 'IMG_1-2.jpg']],
    ["a Pixel's numbered one", ['PXL_20231006_063909898.LS.mp4', 'PXL_20231006_063909898.LS(1).mp4']],
    ['words after a hyphen', ['summer.jpg', 'summer-day.jpg']],
    ["names like Apple's", ['IMG_1234.jpg', 'IMG_ELSE.jpg', 'IMG_E1.jpg']],
    ['nothing before the dot', ['.jpg', '.png']],
  ])('is another for %s', (_, names) => {
    expect(new Set(names.map(stemOf)).size).toBe(names.length)
  })
})

describe('sidecarOf', () => {
  it.each([
    ['IMG.xmp', ['img']],
    ['IMG.jpg.XMP', ['img.jpg']],
    ['IMG_01.CR2.xmp', ['img_01.cr2', 'img.cr2']],
    ['IMG_0001.AAE', ['img_0001']],
    ['IMG_O0001.AAE', ['img_0001']],
    ['DSC_0001.WAV', ['dsc_0001']],
    ['SND_0001.WAV', ['snd_0001', 'img_0001']],
    ['C0001M01.XML', ['c0001m01', 'c0001']],
    ['IMG_1.jpg', []],
    ['xmp', []],
  ])('%s may describe %j', (name, photos) => {
    expect(sidecarOf(name)).toEqual(photos)
  })
})

describe('groupByCompanion', () => {
  it.each<[string, string[], string[][]]>([
    [
      'a shot in all its forms',
      ['IMG_1.AAE', 'IMG_1.CR2', 'IMG_1.JPG', 'IMG_1.MOV', 'IMG_1.WAV', 'IMG_1.xmp'],
      [['IMG_1.CR2', 'IMG_1.JPG', 'IMG_1.MOV', 'IMG_1.AAE', 'IMG_1.WAV', 'IMG_1.xmp']],
    ],
    ["darktable's", ['IMG.CR2', 'IMG.CR2.xmp', 'IMG_01.CR2.xmp'], [['IMG.CR2', 'IMG.CR2.xmp', 'IMG_01.CR2.xmp']]],
    ['a sidecar that names another photo', ['a.jpg', 'a.cr2.xmp'], [['a.jpg'], ['a.cr2.xmp']]],
    ['sidecars without a photo', ['a.xmp', 'b.jpg', 'c.aae'], [['b.jpg'], ['a.xmp'], ['c.aae']]],
    [
      "a Sony clip's metadata",
      ['C0001.MP4', 'C0001M01.XML', 'C0002.MP4'],
      [['C0001.MP4', 'C0001M01.XML'], ['C0002.MP4']],
    ],
    ['names that differ in case', ['img_1.JPG', 'IMG_1.cr2'], [['img_1.JPG', 'IMG_1.cr2']]],
    [
      'names like properties',
      ['__proto__', 'constructor.jpg', 'constructor.xmp'],
      [['__proto__'], ['constructor.jpg', 'constructor.xmp']],
    ],
    ['nothing', [], []],
  ])('keeps together %s', (_, names, groups) => {
    expect(groupByCompanion(names)).toEqual(groups)
  })

  // Names as users of Takeout report them: github.com/simulot/immich-go (matcher tests), github.com/ente/ente/pull/4956.
  it.each([
    ['PXL_20211013_220651983.jpg', 'PXL_20211013_220651983.jpg.json'],
    ['DSC_0101(1).JPG', 'DSC_0101.JPG(1).json'],
    ['PXL_20220405_090123740.PORTRAIT-modifié.jpg', 'PXL_20220405_090123740.PORTRAIT.jpg.json'],
    ['PXL_20230809_203449253.LONG_EXPOSURE-02.ORIGINA.jpg', 'PXL_20230809_203449253.LONG_EXPOSURE-02.ORIGIN.json'],
    ['05yqt21kruxwwlhhgrwrdyb6chhwszi9bqmzu16w0 2.jpg', '05yqt21kruxwwlhhgrwrdyb6chhwszi9bqmzu16w0 2.jp.json'],
    ['😀😃😄😁😆😅😂🤣🥲☺️😊😇🙂🙃😉😌😍🥰😘😗😙😚😋😛.jpg', '😀😃😄😁😆😅😂🤣🥲☺️😊😇🙂🙃😉😌😍🥰😘😗😙😚😋.json'],
    [
      'Backyard_ceremony_wedding_photography_xxxxxxx_m(494).jpg',
      'Backyard_ceremony_wedding_photography_xxxxxxx_(494).json',
    ],
    ['13039_327707840323_537645323_9470255_27214_n(1).jpg', '13039_327707840323_537645323_9470255_27214_n.j(1).json'],
    ['20161105_170829.jpg', '20161105_170829.jpg.supplemental-metadata.json'],
    ['Screenshot_20231027_123303_Facebook.jpg', 'Screenshot_20231027_123303_Facebook.jpg.supple.json'],
    ['Screenshot_20231027_123303_Facebook(1).jpg', 'Screenshot_20231027_123303_Facebook.jpg.supple(1).json'],
    ['MVIMG_20200207_134534~2.jpg', 'MVIMG_20200207_134534~2.jpg.supplemental-metad.json'],
    ['CLIP0001(10).AVI', 'CLIP0001.AVI.supplemental-metadata(10).json'],
    ['IMAG0061-edited.JPG', 'IMAG0061.JPG.supplemental-metadata.json'],
    ['IMG-20230325-WA0122~2-edited.jpg', 'IMG-20230325-WA0122~2.jpg.supplemental-metadat.json'],
    ['2234089303984509579.jpg', '2234089303984509579.supplemental-metadata.json'],
    ['Screenshot_2024-08-31-00-53-48-647_com.snapchat.jpg', 'Screenshot_2024-08-31-00-53-48-647_com.snapcha.json'],
    ['D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg', 'D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg.supp.json'],
    ['Urlaub in Knaufspesch in der Schneifel (38).JPG', 'Urlaub in Knaufspesch in der Schneifel (38).JP.json'],
    ['IMG_1(1).jpg', 'IMG_1(1).jpg.json'],
  ])('finds the metadata of %s', (photo, metadata) => {
    expect(groupByCompanion([photo, metadata])).toEqual([[photo, metadata]])
  })

  it.each([
    ['PXL_20211013_220651958.jpg', 'PXL_20211013_220651983.jpg.json'],
    ['DSC_0102(1).JPG', 'DSC_0102.JPG(2).json'],
    ['DSC_0103.JPG', 'DSC_0103.JPG(1).json'],
    ['DSC_0104(1).JPG', 'DSC_0104.JPG.json'],
    [
      'Backyard_ceremony_wedding_photography_xxxxxxx_m(185).jpg',
      'Backyard_ceremony_wedding_photography_xxxxxxx_(494).json',
    ],
    ['IMG_1.jpg', 'metadata.json'],
  ])('leaves %s alone with %s', (photo, metadata) => {
    expect(groupByCompanion([photo, metadata])).toEqual([[photo], [metadata]])
  })

  it('tells numbered photos apart by their metadata', () => {
    expect(groupByCompanion(['IMG_1(1).jpg', 'IMG_1.jpg', 'IMG_1.jpg(1).json', 'IMG_1.jpg.json'])).toEqual([
      ['IMG_1(1).jpg', 'IMG_1.jpg(1).json'],
      ['IMG_1.jpg', 'IMG_1.jpg.json'],
    ])
  })

  it('gives metadata whose cut name fits two photos to the first', () => {
    const long = 'x'.repeat(46)
    expect(groupByCompanion([`${long}-a.jpg`, `${long}-b.jpg`, `${long}.json`])).toEqual([
      [`${long}-a.jpg`, `${long}.json`],
      [`${long}-b.jpg`],
    ])
  })

  it('puts every name in one group, whatever the names', () => {
    const part = fc.constantFrom(
      'IMG_1',
      'img_e0001',
      'a',
      '(1)',
      '-edited',
      '.jpg',
      '.xmp',
      '.json',
      '.AAE',
      '.',
      '\u0301',
      'M01.XML',
    )
    const name = fc.oneof(
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 40 }), (names) => {
        const groups = groupByCompanion(names)
        expect(groups.flat().toSorted()).toEqual(names.toSorted())
        expect(groups.filter((group) => group.length > 1).every((group) => !isSidecarName(group[0]!))).toBe(true)
      }),
    )
  })

  it('takes time in proportion to the names', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => [`IMG_${i}.jpg`, `IMG_${i}.jpg.json`]).flat()
    const start = performance.now()
    expect(groupByCompanion(names)).toHaveLength(20_000)
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

describe.skipIf(!existsSync(PHOTOS))('the shared photos (../shared/photos; skipped where they are absent)', () => {
  it('pairs the sidecars', () => {
    expect(grouped('sidecars')).toEqual([
      ['20240107_110258.jpg', '20240107_110258.jpg.xmp'],
      ['20240121_102400.JPG', '20240121_102400.JPG.xmp'],
      ['20240128_105420.mp4', '20240128_105420.mp4.xmp'],
      ['IMG_5910.jpg', 'IMG_5910.xmp'],
      ['bunny_1sec_v2.mp4', 'bunny_1sec_v2.xmp'],
      ['metadata_v2.jpg', 'metadata_v2.xmp'],
      ['photo.6.embedded_sidecar.jpg', 'photo.6.embedded_sidecar.jpg.xmp'],
      ['2000.xmp'],
      ['2020.xmp'],
    ])
  })

  it('pairs the live photos and the raws', () => {
    expect(grouped('live-photos')).toEqual([
      ['IMG_3589.HEIC', 'IMG_3589.mov'],
      ['IMG_7943.HEIC', 'IMG_7943_HEVC.MOV'],
    ])
    expect(grouped('raw')).toContainEqual(['CRW_0112.CRW', 'CRW_0112.THM'])
    expect(grouped('raw')).toContainEqual(['GOPR8514.GPR', 'GOPR8514.JPG'])
  })

  it("pairs Takeout's metadata, and leaves the album's alone", () => {
    const groups = grouped(encodeURI('takeout/Takeout1/Google Photos/Album test 6-10-23'))
    expect(groups.filter((group) => group.length === 2)).toHaveLength(8)
    expect(groups.filter((group) => group.length !== 2)).toEqual([['métadonnées.json']])
  })
})
