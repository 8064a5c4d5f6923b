import { describe, expect, it } from 'vitest'
import { directoryAt, hasTag, numberOf, textOf } from '../../src/hash/tiff.ts'
import { tiff } from './heads.ts'

const MAKE = 0x10f
const COMPRESSION = 0x103

describe('directoryAt', () => {
  it('has the entries that are there, whatever number it claims', () => {
    const head = tiff({ make: 'NIKON', compression: 6 })
    head.set([0xff, 0xff], 8)
    expect(directoryAt(head, 0, 8, true).count).toBe(Math.floor((head.length - 10) / 12))
    expect(directoryAt(head, 0, head.length, true).count).toBe(0)
    expect(directoryAt(head, 0, 0xffff_ffff, true).count).toBe(0)
  })
})

describe('values', () => {
  const head = tiff({ make: 'NIKON', model: 'D1', compression: 34713 })
  const ifd = directoryAt(head, 0, 8, true)

  it('are numbers or text by their type', () => {
    expect(numberOf(ifd, COMPRESSION)).toBe(34713)
    expect(textOf(ifd, MAKE)).toBe('NIKON')
    expect(textOf(ifd, 0x110)).toBe('D1')
    expect(numberOf(ifd, MAKE)).toBeUndefined()
    expect(textOf(ifd, COMPRESSION)).toBe('')
    expect(hasTag(ifd, 0x9003)).toBe(false)
  })

  it('are empty where they lie outside', () => {
    const cut = directoryAt(head.subarray(0, 50), 0, 8, true)
    expect(textOf(cut, MAKE)).toBe('')
  })
})
