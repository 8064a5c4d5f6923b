import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LuminaError } from '../../src/errors.ts'
import { keyFrom } from '../../src/pipeline/keys.ts'
import { parseLayout, uuidOf, type LayoutValues } from '../../src/pipeline/layout.ts'

const rules = { maxSegmentBytes: 255, maxKeyBytes: 1024 }
const digest = '0123456789abcdef'.repeat(4)
const values: LayoutValues = {
  dir: 'trip/day 1',
  name: 'IMG_1',
  ext: '.JPG',
  taken: { year: 2024, month: 3, day: 7, hour: 9, minute: 5, second: 1 },
  camera: 'Canon EOS R5',
  digest,
  uuid: uuidOf(digest),
}

const expand = (template: string, more: Partial<LayoutValues> = {}): string =>
  parseLayout(template)
    .expand({ ...values, ...more })
    .join('/')

function refusal(template: string): LuminaError {
  try {
    parseLayout(template)
  } catch (error) {
    if (error instanceof LuminaError) return error
  }
  throw new Error(`${template} should be refused.`)
}

describe('a layout', () => {
  it.each([
    ['{dir}/{name}{ext}', 'trip/day 1/IMG_1.JPG'],
    ['{taken:yyyy}/{taken:MM}/{name}{ext}', '2024/03/IMG_1.JPG'],
    ['{taken}/{name}{ext}', '2024-03-07/IMG_1.JPG'],
    ['{taken:yy-MM-dd HH.mm.ss}-{digest}{ext}', `24-03-07 09.05.01-${digest}.JPG`],
    ['{camera}/{name}{ext}', 'Canon EOS R5/IMG_1.JPG'],
    ['{uuid}', '01234567-89ab-8def-8123-456789abcdef'],
    ['photos/{name}', 'photos/IMG_1'],
    ['{taken:yyyy:MM}/{name}', '2024:03/IMG_1'],
  ])('%s makes %s', (template, expected) => {
    expect(expand(template)).toBe(expected)
  })

  it('makes folders of its own slashes and those of {dir}, and of no others', () => {
    expect(parseLayout('{camera}/{name}{ext}').expand({ ...values, camera: 'a/b', name: '../c', ext: '.d/e' })).toEqual(
      ['a-b', '..-c.d-e'],
    )
    expect(parseLayout('{dir}/{name}').expand({ ...values, dir: 'x/y' })).toEqual(['x', 'y', 'IMG_1'])
  })

  it('says what it needs to know, so that nothing is read in vain', () => {
    expect(parseLayout('{dir}/{name}{ext}')).toMatchObject({ isDefault: true, asksMetadata: false, asksDate: false })
    expect(parseLayout('{camera}/{name}')).toMatchObject({ isDefault: false, asksMetadata: true, asksDate: false })
    expect(parseLayout('{taken}/{name}')).toMatchObject({ asksMetadata: true, asksDate: true })
  })

  it('never leads out of the prefix, whatever the file says of itself', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('..', '.', '/', '../../etc', '', '/etc/passwd', 'con'),
    )
    const field = fc.constantFrom('{dir}', '{name}', '{ext}', '{camera}', '{taken:yyyy}', '{digest}', '/', '..', 'x')
    const said = fc.record({ dir: text, name: text, ext: text, camera: text })
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), said, (parts, more) => {
        const layout = parseLayout(`${parts.join('')}{uuid}`)
        const key = keyFrom(['prefix', ...layout.expand({ ...values, ...more })], rules)
        const segments = key.split('/')
        expect(segments[0]).toBe('prefix')
        expect(segments.length).toBeGreaterThan(1)
        for (const segment of segments) expect(segment).not.toMatch(/^\.{0,2}$|[\0-\x1f\\]/)
      }),
    )
  })
})

describe('a layout that makes no sense', () => {
  it.each(['{year}/{name}', '{name}{}', '{Name}', '{taken :yyyy}/{name}'])(
    '%s is refused with the fields that there are',
    (template) => {
      expect(refusal(template)).toMatchObject({ code: 'usage', hint: expect.stringContaining('{taken}') })
      expect(refusal(template).message).toContain('unknown field')
    },
  )

  it.each(['', 'photos', '{dir}{ext}', '{taken:yyyy}/{camera}{ext}'])(
    '%s is refused, since all files would have one name',
    (template) => {
      expect(refusal(template)).toMatchObject({ code: 'usage', hint: expect.stringContaining('{name}') })
    },
  )
})

describe('uuidOf', () => {
  it('is a version 8 UUID, and the same for the same content only', () => {
    const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    fc.assert(
      fc.property(hex, hex, (a, b) => {
        expect(uuidOf(a)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(uuidOf(a)).toBe(uuidOf(a))
        if (a.slice(0, 12) !== b.slice(0, 12)) expect(uuidOf(a)).not.toBe(uuidOf(b))
      }),
    )
  })
})
