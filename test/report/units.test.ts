import { describe, expect, test } from 'vitest'

import { formatBytes, formatCount, formatSeconds, plural } from '../../src/report/units.ts'
import { shortenEnd, shortenStart, widthOf } from '../../src/report/width.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_940, '99.9 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [12_400_000_000, '12.4 GB'],
  [5e18, '5000 PB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

test.each([
  [0.42, '0.4 s'],
  [9.96, '10 s'],
  [59.6, '1 min 0 s'],
  [110, '1 min 50 s'],
  [7500, '2 h 5 min'],
  [273_600, '3 d 4 h'],
])('%d seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))

test('counts', () => {
  expect([0, 999, 1204, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,204', '1,234,567'])
  expect([plural(1, 'file'), plural(2, 'file'), plural(2, 'retry', 'retries')]).toEqual([
    '1 file',
    '2 files',
    '2 retries',
  ])
})

describe('width', () => {
  test('wide, narrow and none', () => {
    expect(widthOf('IMG_1.jpg')).toBe(9)
    expect(widthOf('写真')).toBe(4)
    expect(widthOf('e\u0301é')).toBe(2)
    expect(widthOf('🎉')).toBe(2)
  })

  test('a name is shortened from its start, never beyond the room', () => {
    expect(shortenStart('holiday/2026/IMG_1.jpg', 12)).toBe('…6/IMG_1.jpg')
    expect(shortenStart('写真写真.jpg', 8)).toBe('…真.jpg')
    expect(shortenStart('a', 5)).toBe('a')
    expect(shortenStart('abc', 0)).toBe('')
    expect(shortenEnd('abcdef', 4)).toBe('abc…')
    for (let room = 0; room < 15; room++)
      expect(widthOf(shortenStart('ab写真🎉x/y.jpg', room))).toBeLessThanOrEqual(room)
  })
})
