import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodedText, fourCC, indexOf, latin1, u16, u32, u64be } from '../../src/hash/bytes.ts'
import { ascii, bytes } from './heads.ts'

describe('numbers', () => {
  it('are read in both orders', () => {
    const four = bytes('01020384')
    expect(u16(four, 1, false)).toBe(0x0203)
    expect(u16(four, 1, true)).toBe(0x0302)
    expect(u32(four, 0, false)).toBe(0x0102_0384)
    expect(u32(four, 0, true)).toBe(0x8403_0201)
    expect(u64be(bytes('0000000180000000'), 0)).toBe(0x1_8000_0000)
  })

  it('are 0 where they are not wholly inside', () => {
    const ones = bytes('ffffffffffffffff')
    fc.assert(
      fc.property(fc.integer({ min: -20, max: 20 }), fc.boolean(), (at, little) => {
        expect(u16(ones, at, little)).toBe(at >= 0 && at <= 6 ? 0xffff : 0)
        expect(u32(ones, at, little)).toBe(at >= 0 && at <= 4 ? 0xffff_ffff : 0)
        expect(u64be(ones, at) > 0).toBe(at === 0)
      }),
    )
  })

  it('of four characters are what stands there', () => {
    expect(fourCC('\xa9day')).toBe(u32(ascii('\xa9day'), 0, false))
  })
})

describe('text', () => {
  it('is cut at the end of the bytes, and of a view on more', () => {
    const view = ascii('abcdef').subarray(1, 4)
    expect(latin1(view, 1, 99)).toBe('cd')
    expect(indexOf(view, 'e')).toBe(-1)
    expect(indexOf(view, 'd')).toBe(2)
    expect(indexOf(view, 'cd', 0, 2)).toBe(-1)
  })

  it('loses its byte order mark', () => {
    expect(decodedText(bytes('efbbbf6162'), 99)).toBe('ab')
    expect(decodedText(bytes('fffe61006200'), 99)).toBe('ab')
    expect(decodedText(bytes('feff00610062'), 5)).toBe('a')
    expect(decodedText(ascii('ab'), 1)).toBe('a')
  })
})
