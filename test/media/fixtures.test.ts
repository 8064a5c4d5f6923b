import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { extensionLies } from '../../src/hash/kinds.ts'
import { sniff } from '../../src/hash/sniff.ts'
import { groupByCompanion } from '../../src/media/companions.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url))
const PHOTOS = join(FIXTURES, 'photos')

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .toSorted()
}

const read = (path: string): Buffer => readFileSync(join(PHOTOS, path))

const kindOf = (path: string): string | undefined => {
  const file = read(path)
  return sniff(file, file.length)
}

describe('the fixtures', () => {
  it('are what their script writes, to the byte', () => {
    const again = mkdtempSync(join(tmpdir(), 'lumina-fixtures-'))
    onTestFinished(() => rmSync(again, { recursive: true, force: true }))
    execFileSync(process.execPath, [join(FIXTURES, 'make.mjs'), again])
    expect(filesOf(again)).toEqual(filesOf(PHOTOS))
    for (const path of filesOf(again)) {
      expect(readFileSync(join(again, path)).equals(read(path)), path).toBe(true)
    }
  })

  it('stay tiny', () => {
    expect(filesOf(PHOTOS).reduce((bytes, path) => bytes + read(path).length, 0)).toBeLessThan(300_000)
  })

  it.each([
    ['DCIM/100CANON/IMG_0001.JPG', 'image/jpeg'],
    ['DCIM/100CANON/IMG_0003.CR2', 'image/x-canon-cr2'],
    ['DCIM/100CANON/IMG_0003.xmp', 'application/rdf+xml'],
    ['DCIM/100CANON/IMG_0002.WAV', 'audio/wav'],
    ['DCIM/102APPLE/IMG_0001.HEIC', 'image/heic'],
    ['DCIM/102APPLE/IMG_0001.MOV', 'video/quicktime'],
    ['DCIM/102APPLE/IMG_0002.AAE', 'application/x-apple-adjustments+xml'],
    ['DCIM/102APPLE/IMG_0003.MP4', 'video/mp4'],
    ['DCIM/102APPLE/IMG_0004.PNG', 'image/png'],
    ['Export/banner.webp', 'image/webp'],
    ['Export/logo.gif', 'image/gif'],
    ['Export/scan.tif', 'image/tiff'],
    ['Export/screenshot.jpg', 'image/png'],
    ['Export/notes.txt', undefined],
    ['Export/empty.jpg', undefined],
    [
      'Takeout/Google Photos/Photos from 2023/PXL_20230704_100000123.PORTRAIT.jpg.supplement.json',
      'application/x-google-takeout+json',
    ],
    ['Takeout/Google Photos/Photos from 2023/metadata.json', 'application/json'],
  ])('%s is %s', (path, kind) => {
    expect(kindOf(path)).toBe(kind)
  })

  it('hold one name that lies, and one that claims what an empty file is not', () => {
    expect(filesOf(PHOTOS).filter((path) => extensionLies(path, kindOf(path)))).toEqual([
      'Export/empty.jpg',
      'Export/screenshot.jpg',
    ])
  })

  it('hold an exact duplicate and two photos of one name', () => {
    expect(read('Export/a copy of IMG_0001.jpg').equals(read('DCIM/100CANON/IMG_0001.JPG'))).toBe(true)
    expect(read('DCIM/101NIKON/IMG_0001.JPG').equals(read('DCIM/100CANON/IMG_0001.JPG'))).toBe(false)
  })

  it.each([
    ['DCIM/100CANON', ['IMG_0003.CR2', 'IMG_0003.JPG', 'IMG_0003.xmp']],
    ['DCIM/100CANON', ['IMG_0002.JPG', 'IMG_0002.WAV']],
    ['DCIM/102APPLE', ['IMG_0001.HEIC', 'IMG_0001.MOV']],
    ['DCIM/102APPLE', ['IMG_0002.JPG', 'IMG_0002.AAE']],
    [
      'Takeout/Google Photos/Photos from 2023',
      ['PXL_20230704_100000123.PORTRAIT.jpg', 'PXL_20230704_100000123.PORTRAIT.jpg.supplement.json'],
    ],
  ])('hold companions in %s: %j', (folder, group) => {
    expect(groupByCompanion(readdirSync(join(PHOTOS, folder)).toSorted())).toContainEqual(group)
  })
})
