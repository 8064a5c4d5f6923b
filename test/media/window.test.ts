import { describe, expect, it, vi } from 'vitest'
import { type ReadAt, windowOver } from '../../src/media/window.ts'

const FILE = Uint8Array.from({ length: 10_000 }, (_, i) => i & 0xff)
const fileReader = () => vi.fn<ReadAt>((offset, length) => FILE.subarray(offset, offset + length))

describe('windowOver', () => {
  it('gives the head without a read, as far as enough of it is there', () => {
    const readAt = fileReader()
    const window = windowOver(FILE.subarray(0, 100), readAt)
    expect(window.read(90, 10)).toEqual(FILE.subarray(90, 100))
    expect(window.read(90, 50, 5)).toEqual(FILE.subarray(90, 100))
    expect(readAt).not.toHaveBeenCalled()
  })

  it('reads across the end of the head, and what stands close by with it', () => {
    const readAt = fileReader()
    const window = windowOver(FILE.subarray(0, 100), readAt)
    expect(window.read(98, 4)).toEqual(FILE.subarray(98, 102))
    expect(window.read(110, 8)).toEqual(FILE.subarray(110, 118))
    expect(window.read(101, 8)).toEqual(FILE.subarray(101, 109))
    expect(readAt).toHaveBeenCalledTimes(1)
    expect(window.read(9000, 8)).toEqual(FILE.subarray(9000, 9008))
    expect(window.read(101, 8)).toEqual(FILE.subarray(101, 109))
    expect(readAt).toHaveBeenCalledTimes(3)
  })

  it('gives what is left at the end of the file', () => {
    const window = windowOver(FILE.subarray(0, 100), fileReader())
    expect(window.read(9998, 8)).toHaveLength(2)
    expect(window.read(20_000, 8)).toHaveLength(0)
    expect(windowOver(FILE).read(9998, 8)).toHaveLength(2)
  })

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Infinity])('asks nobody for offset %d', (offset) => {
    const readAt = fileReader()
    expect(windowOver(FILE.subarray(0, 100), readAt).read(offset, 8)).toHaveLength(0)
    expect(readAt).not.toHaveBeenCalled()
  })

  it('stops after 64 reads, and takes no more than it asked for', () => {
    const readAt = vi.fn<ReadAt>(() => new Uint8Array(1_000_000))
    const window = windowOver(new Uint8Array(0), readAt)
    for (let n = 0; n < 100; n++) window.read(n * 5000, 8)
    expect(readAt).toHaveBeenCalledTimes(64)
    expect(windowOver(new Uint8Array(0), readAt).read(0, 1_000_000)).toHaveLength(262_144)
  })
})
