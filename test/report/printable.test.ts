import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { printable, printableJson } from '../../src/report/printable.ts'

const steering = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\u001b', '\u009b', '\u202e', '\ud800', '\udcff', '\n', '\u007f'),
    fc.string({ unit: 'binary', maxLength: 1 }),
  ),
})

describe('printable', () => {
  test('nothing that steers a terminal gets through', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(steering)
      }),
    )
  })

  test('what steers nothing stays as it is', () => {
    const names = ['IMG_1.jpg', 'Ünïcode é', '写真.heic', 'עברית.jpg', '👩‍👩‍👧.png', 'C:\\Photos\\a b']
    for (const name of names) expect(printable(name)).toBe(name)
  })

  test('escapes say what stands there', () => {
    expect(printable('a\nb\r\t\u001b[31m\u009b\u007f')).toBe('a\\nb\\r\\t\\x1b[31m\\x9b\\x7f')
    expect(printable('gpj.\u202eevil\udcff')).toBe('gpj.\\u202eevil\\udcff')
  })
})

describe('printableJson', () => {
  test('is the same value, on one line that steers nothing', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const line = printableJson({ text })
        expect(line).not.toMatch(steering)
        expect(JSON.parse(line)).toEqual({ text })
      }),
    )
  })
})
