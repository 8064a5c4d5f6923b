import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { inUrl, keyOf, keyRules, objectName } from '../../../src/client/drivers/supabase/names.ts'
import { LuminaError } from '../../../src/errors.ts'
import { bytesOf, nameOf } from '../../../src/os-path.ts'
import { decodeSegment, encodeSegment, keyFrom } from '../../../src/pipeline/keys.ts'

/** What the service takes, as it was measured. */
const accepted = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/
const awkward = fc.constantFrom(
  '%',
  '%4F',
  '=4F',
  '=',
  '=-3D',
  '%3D',
  '=3D',
  '=-',
  '%25',
  '~',
  '#',
  'é',
  '中',
  '[',
  'a',
  '\udc80',
  '"',
)
const piece = fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 6 }))
const diskName = fc
  .array(piece, { minLength: 1, maxLength: 8 })
  .map((pieces) => nameOf(Buffer.from(bytesOf(pieces.join('')).filter((byte) => byte !== 0 && byte !== 0x2f))))
  .filter((name) => name !== '')
const key = fc
  .array(diskName, { minLength: 1, maxLength: 4 })
  .map((segments) => keyFrom(segments, keyRules))
  .filter((made) => made !== '')
/** As others may have made one: any text that is a key somewhere. */
const foreign = fc
  .array(fc.oneof(awkward, fc.string({ unit: 'grapheme', maxLength: 6 })), { minLength: 1, maxLength: 6 })
  .map((pieces) => pieces.join('').replaceAll('/', ''))
  .filter((made) => made.isWellFormed() && made !== '' && made !== '.' && made !== '..')

const nameOrNone = (given: string): string | undefined => {
  try {
    return objectName(given)
  } catch (error) {
    if (error instanceof LuminaError && error.code === 'key-invalid') return undefined
    throw error
  }
}

describe('names at the service', () => {
  it('are made of what it takes, of any name on a disk', () => {
    fc.assert(
      fc.property(key, (given) => {
        const name = objectName(given)
        expect(name).toMatch(accepted)
        for (const segment of name.split('/')) expect(segment.length).toBeLessThanOrEqual(255)
      }),
      { numRuns: 1000 },
    )
  })

  it('lead back to their key, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(key, foreign), (given) => {
        const name = nameOrNone(given)
        if (name !== undefined) expect(keyOf(name)).toBe(given)
      }),
      { numRuns: 2000 },
    )
  })

  it('lead back to the name on the disk', () => {
    fc.assert(
      fc.property(diskName, (given) => {
        const segment = encodeSegment(given, { ...keyRules, maxSegmentBytes: 250 })
        fc.pre(!/~[0-9a-f]{12}/.test(segment))
        expect(decodeSegment(keyOf(objectName(segment))).toString('hex')).toBe(
          Buffer.from(bytesOf(given)).toString('hex'),
        )
      }),
      { numRuns: 1000 },
    )
  })

  it('are two for two keys', () => {
    fc.assert(
      fc.property(fc.oneof(key, foreign), fc.oneof(key, foreign), (a, b) => {
        const names = [nameOrNone(a), nameOrNone(b)]
        fc.pre(a !== b && names[0] !== undefined)
        expect(names[0]).not.toBe(names[1])
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['', '/a', 'a/', 'a//b', '.', '..', '../b', 'a/./b', 'a/../b'])('are never made of %j', (given) => {
    expect(nameOrNone(given)).toBeUndefined()
  })

  it.each(['a?b.jpg', 'a;b&c=d.jpg', 'a+b.jpg', 'a b.jpg', "a'(b)!*.jpg"])('stay one path in a URL: %s', (name) => {
    const { pathname, search, hash } = new URL(`http://x/${inUrl(name)}`)
    expect({ name: decodeURIComponent(pathname.slice(1)), search, hash }).toEqual({ name, search: '', hash: '' })
  })
})
