import { describe, expect, it } from 'vitest'
import { claimedKind, classOf, extensionLies, extensionOf, isPhoto, KINDS, type Kind } from '../../src/hash/kinds.ts'

describe('extensionOf', () => {
  it.each([
    ['IMG_1.JPG', 'jpg'],
    ['a.b.heic', 'heic'],
    ['folder.d/file', ''],
    ['/cards/.hidden', ''],
    ['C:\\cards\\.hidden', ''],
    ['.jpg', ''],
    ['dot.', ''],
    ['', ''],
  ])('%s has %s', (name, ext) => {
    expect(extensionOf(name)).toBe(ext)
  })
})

describe('extensionLies', () => {
  it.each<[string, Kind]>([
    ['a.jpeg', 'image/jpeg'],
    ['a.JPE', 'image/jpeg'],
    ['a.jpg', 'image/mpo'],
    ['a.mpo', 'image/jpeg'],
    ['a.hif', 'image/heic'],
    ['a.heif', 'image/heic'],
    ['a.heic', 'image/heif'],
    ['a.png', 'image/apng'],
    ['a.tiff', 'image/tiff'],
    ['a.m4v', 'video/mp4'],
    ['a.mp4', 'video/x-m4v'],
    ['a.mp4', 'video/3gpp'],
    ['a.qt', 'video/quicktime'],
    ['a.raw', 'image/x-panasonic-rw2'],
    ['a.ts', 'video/mp2t'],
    ['a.thm', 'image/jpeg'],
    ['a.lrv', 'video/mp4'],
    ['a.jpg.json', 'application/x-google-takeout+json'],
    ['noextension', 'image/jpeg'],
    ['a.xyz', 'image/jpeg'],
  ])('%s is honest on %s', (name, kind) => {
    expect(extensionLies(name, kind)).toBe(false)
  })

  it.each<[string, Kind | undefined]>([
    ['a.jpg', 'image/png'],
    ['a.JPEG', 'image/heic'],
    ['a.heic', 'image/jpeg'],
    ['a.heic', 'image/avif'],
    ['a.tif', 'image/x-adobe-dng'],
    ['a.tif', 'image/x-nikon-nef'],
    ['a.dng', 'image/tiff'],
    ['a.nef', 'image/x-adobe-dng'],
    ['a.mp4', 'video/quicktime'],
    ['a.mp4', 'application/json'],
    ['a.jpg', 'image/x-xcf'],
    ['a.jpg', undefined],
  ])('%s lies on %s', (name, kind) => {
    expect(extensionLies(name, kind)).toBe(true)
  })

  it('is no lie where bytes that nobody knows are called anything but a photo', () => {
    expect(extensionLies('notes.txt', undefined)).toBe(false)
    expect(extensionLies('a.json', undefined)).toBe(false)
  })
})

describe('KINDS', () => {
  it('lets each extension claim one kind', () => {
    const claimed = Object.values(KINDS).flatMap(({ extensions }) => extensions)
    const shared = claimed.filter((ext, i) => claimed.indexOf(ext) !== i)
    expect(shared).toEqual([])
  })

  it('gives every photo an extension that claims it', () => {
    for (const kind of Object.keys(KINDS)) {
      const [ext] = KINDS[kind]!.extensions
      if (isPhoto(kind)) expect(claimedKind(`a.${ext}`)).toBe(kind)
    }
  })

  it('classes a kind it lacks by its type', () => {
    expect(classOf('image/x-xcf')).toBe('image')
    expect(classOf('video/x-new')).toBe('video')
    expect(classOf('text/plain')).toBe('other')
    expect(classOf('image/svg+xml')).toBe('other')
  })
})
