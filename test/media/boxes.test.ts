import { describe, expect, it } from 'vitest'
import { boxesIn, boxType } from '../../src/media/boxes.ts'
import { windowOver } from '../../src/media/window.ts'
import { ascii, bytes, concat, zeros } from '../hash/heads.ts'
import { box, u32be } from './containers.ts'

const boxes = (file: Uint8Array, end?: number): [type: number, start: number, end: number][] =>
  [...boxesIn(windowOver(file), 0, end)].map(({ type, start, end: last }) => [type, start, last])

describe('boxesIn', () => {
  it('gives each with where its content lies', () => {
    expect(boxes(concat(box('free', zeros(4)), box('moov')))).toEqual([
      [boxType('free'), 8, 12],
      [boxType('moov'), 20, 20],
    ])
  })

  it('knows sizes of 64 bits, and one to the end', () => {
    const long = concat(u32be(1), ascii('mdat'), u32be(0), u32be(20), zeros(4))
    expect(boxes(concat(long, u32be(0), ascii('free'), zeros(9)), 37)).toEqual([
      [boxType('mdat'), 16, 20],
      [boxType('free'), 28, 37],
    ])
  })

  it('ends at a size that is less than its own header', () => {
    expect(boxes(concat(box('free'), bytes('00000004'), ascii('moov'), zeros(64)))).toHaveLength(1)
    expect(boxes(concat(u32be(1), ascii('mdat'), u32be(0), u32be(15), zeros(64)))).toEqual([])
  })

  it('keeps a box inside the one around it', () => {
    expect(boxes(concat(u32be(1000), ascii('moov'), zeros(20)), 28)).toEqual([[boxType('moov'), 8, 28]])
  })
})
