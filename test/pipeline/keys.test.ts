import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KeyRules } from '../../src/client/destination.ts'
import { bytesOf, nameOf } from '../../src/os-path.ts'
import { decodeSegment, encodeSegment, keyFrom, splitExt, versioned } from '../../src/pipeline/keys.ts'

const rules: KeyRules = { maxSegmentBytes: 255, maxKeyBytes: 1024 }
const ascii: KeyRules = { ...rules, asciiOnly: true }
const noBrackets: KeyRules = { ...rules, forbidden: /[[\]{}#]/ }

/** What the names of real folders trip over. */
const awkward = fc.constantFrom(
  '%',
  '%4',
  '%41',
  '%%41',
  '%zz',
  '.',
  '..',
  '...',
  'a.',
  'a ',
  ' ',
  'con',
  'CON.jpg',
  'con .jpg',
  'com¹',
  'nul.a.b',

  '.lumina',
  '.LUMINA',
  '.Lumina.jpg',
  'x'.repeat(300),
  `${'é'.repeat(200)}.jpeg`,
  '\u202egpj.exe',
  '\u061ca',
  'e\u0301',

  '\udcff',
  'a\udc80%80',
  '%\udc80',
  '~',
  'a~b',
  '👨‍👩‍👧.heic',
  `a.${'b'.repeat(300)}`,
  'new\nline',
  '$recycle',
  '#[{}]',
)
/** A name as a disk may hold it: any bytes but NUL and the slash, at most 255 of them. */
const diskName = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .map((bytes) => nameOf(Buffer.from(bytes.filter((byte) => byte !== 0 && byte !== 0x2f))))
  .filter((name) => name !== '')
const piece = fc.oneof(awkward, fc.constantFrom(...'aZ0%.-_ ~:é41\u200b'), fc.string({ unit: 'binary', maxLength: 8 }))
const text = fc
  .array(piece, { minLength: 1, maxLength: 6 })
  .map((pieces) => pieces.join('').replaceAll('/', ''))
  .filter((joined) => joined !== '')
const name = fc.oneof(awkward, diskName, text)
const anyRules = fc.record(
  {
    maxSegmentBytes: fc.integer({ min: 40, max: 255 }),
    asciiOnly: fc.boolean(),
    forbidden: fc.constantFrom(/[#[\]]/, /[a-c]/i, /é/),
  },
  { requiredKeys: ['maxSegmentBytes'] },
)

const windowsName = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i

describe('encodeSegment', () => {
  it('makes what every file system can hold, of any name and under any rules', () => {
    fc.assert(
      fc.property(fc.oneof(name, fc.constant('')), anyRules, (given, more) => {
        const segment = encodeSegment(given, { ...rules, ...more })
        expect(segment).not.toBe('')
        expect(segment).not.toMatch(/^\.{1,2}$/)
        expect(segment).not.toMatch(/[/\\<>:"|?*]|\p{Cc}|\p{Bidi_Control}|[. ]$/u)
        expect(segment).not.toMatch(windowsName)
        expect(segment.replace(/\p{Default_Ignorable_Code_Point}/gu, '').toLowerCase()).not.toBe('.lumina')
        expect(segment.isWellFormed()).toBe(true)
        expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(more.maxSegmentBytes)
        if (more.asciiOnly) expect(segment).toMatch(/^[\x20-\x7e]+$/)
      }),
      { numRuns: 1000 },
    )
  })

  it('holds nothing that the rules forbid, unless it is the hex digits of an encoding', () => {
    fc.assert(
      fc.property(name, (given) => {
        expect(encodeSegment(given, noBrackets)).not.toMatch(/[[\]{}#]/)
      }),
    )
  })

  it('can be undone, whatever bytes the name has, as long as it fits', () => {
    const roomy = { maxSegmentBytes: 10_000, maxKeyBytes: 100_000 }
    fc.assert(
      fc.property(fc.oneof(name, fc.constant('')), fc.boolean(), (given, asciiOnly) => {
        expect(decodeSegment(encodeSegment(given, { ...roomy, asciiOnly })).toString('hex')).toBe(
          bytesOf(given).toString('hex'),
        )
      }),
      { numRuns: 1000 },
    )
  })

  it('gives two names two segments', () => {
    fc.assert(
      fc.property(name, name, anyRules, (a, b, more) => {
        fc.pre(a !== b)
        expect(encodeSegment(a, { ...rules, ...more })).not.toBe(encodeSegment(b, { ...rules, ...more }))
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['the byte 80 and its encoding', 'a\udc80', 'a%80'],
    ['a percent sign and nothing', '%', ''],
    ['long names that differ at their end', `${'x'.repeat(250)}-aaaa.jpg`, `${'x'.repeat(250)}-bbbb.jpg`],
    ['long names that differ in their extension', `${'x'.repeat(254)}.jpg`, `${'x'.repeat(254)}.cr2`],
    ['long extensions', `a.${'x'.repeat(300)}`, `a.${'x'.repeat(301)}`],
  ])('tells apart %s', (_, a, b) => {
    expect(encodeSegment(a, rules)).not.toBe(encodeSegment(b, rules))
  })

  it.each([
    ['IMG_0001.JPG', 'IMG_0001.JPG'],
    ['fin de journée 🌅.jpg', 'fin de journée 🌅.jpg'],
    ['a:b?.jpg', 'a%3Ab%3F.jpg'],
    ['100%.jpg', '100%.jpg'],
    ['100%41.jpg', '100%2541.jpg'],
    ['con.jpg', '%63on.jpg'],
    ['conference.jpg', 'conference.jpg'],
    ['.', '%2E'],
    ['..', '.%2E'],
    ['.lumina', '%2Elumina'],
    ['.lum\u200cina', '%2Elum\u200cina'],
    ['\u200c.LUMINA', '\u200c%2ELUMINA'],
    ['.lumina.jpg', '.lumina.jpg'],
    ['a\nb', 'a%0Ab'],
    ['photo\u202egpj.exe', 'photo%E2%80%AEgpj.exe'],
    ['\udcff', '%FF'],
  ])('writes %j as %j', (given, segment) => {
    expect(encodeSegment(given, rules)).toBe(segment)
  })

  it('keeps the extension of a name that it shortens', () => {
    expect(encodeSegment(`${'x'.repeat(300)}.jpeg`, rules)).toMatch(/^x+~[0-9a-f]{12}\.jpeg$/)
    expect(encodeSegment('x'.repeat(30), { ...rules, maxSegmentBytes: 20 })).toHaveLength(20)
    expect(encodeSegment(`${'x'.repeat(60)}.jpg`, { ...rules, maxSegmentBytes: 40 })).toHaveLength(40)
  })

  it('never cuts a character or an encoding in two', () => {
    expect(encodeSegment('é'.repeat(300), rules)).toMatch(/^é+~[0-9a-f]{12}$/)
    expect(encodeSegment(':'.repeat(300), rules)).toMatch(/^(%3A)+~[0-9a-f]{12}$/)
    expect(encodeSegment('é'.repeat(300), ascii)).toMatch(/^(%C3%A9)*(%C3)?~[0-9a-f]{12}$/)
  })

  it('is not idempotent, on purpose: a key segment taken for a name is another name', () => {
    expect(encodeSegment(encodeSegment('a:b', rules), rules)).toBe('a%253Ab')
  })
})

describe('keyFrom', () => {
  it('never leaves its prefix, whatever the segments are', () => {
    const segments = fc.array(fc.oneof(name, fc.constantFrom('', '.', '..', '../..', '/etc')), { maxLength: 8 })
    fc.assert(
      fc.property(segments, (given) => {
        const key = keyFrom(['library', ...given.flatMap((segment) => segment.split('/'))], rules)
        const parts = key.split('/')
        expect(parts[0]).toBe('library')
        for (const part of parts) expect(part).not.toMatch(/^\.{0,2}$/)
      }),
    )
  })

  it('drops what is empty, and what leads nowhere', () => {
    expect(keyFrom(['', 'a', '.', '..', '', 'b.jpg'], rules)).toBe('a/b.jpg')
    expect(keyFrom(['', '..'], rules)).toBe('')
  })
})

describe('versioned', () => {
  const counter = fc.integer({ min: 1, max: 100_000 })

  it('gives each counter a key of its own, in the same folder and within the limit', () => {
    fc.assert(
      fc.property(name, counter, counter, anyRules, (given, a, b, more) => {
        const own = { ...rules, ...more }
        const key = `folder/${encodeSegment(given, own)}`
        const [first, second] = [versioned(key, a, own), versioned(key, b, own)]
        expect(first === second).toBe(a === b)
        for (const each of [first, second]) {
          expect(each.startsWith('folder/')).toBe(true)
          expect(each.indexOf('/', 7)).toBe(-1)
          expect(Buffer.byteLength(each.slice(7))).toBeLessThanOrEqual(own.maxSegmentBytes)
          expect(each).not.toMatch(/[. ]$/)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['a/IMG_1.jpg', 1, 'a/IMG_1.jpg'],
    ['a/IMG_1.jpg', 2, 'a/IMG_1-2.jpg'],
    ['IMG_1', 12, 'IMG_1-12'],
    ['a.b/IMG', 2, 'a.b/IMG-2'],
    ['.hidden', 2, '.hidden-2'],
    [`a.${'b'.repeat(253)}`, 2, `a.${'b'.repeat(251)}-2`],
    [`${'x'.repeat(251)}.jpg`, 2, `${'x'.repeat(249)}-2.jpg`],
  ])('writes %s for the %ith time as %s', (key, times, expected) => {
    expect(versioned(key, times, rules)).toBe(expected)
  })
})

describe('splitExt', () => {
  it('gives back the name, in two parts', () => {
    fc.assert(
      fc.property(name, (given) => {
        const { stem, ext } = splitExt(given)
        expect(stem + ext).toBe(given)
        expect(stem).not.toBe('')
      }),
    )
  })

  it.each([
    ['a.jpg', 'a', '.jpg'],
    ['.jpg', '.jpg', ''],
    ['a.b.c', 'a.b', '.c'],
    ['a', 'a', ''],
  ])('takes %s apart', (given, stem, ext) => {
    expect(splitExt(given)).toEqual({ stem, ext })
  })
})
