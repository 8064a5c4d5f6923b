import { describe, expect, it } from 'vitest'
import { segmentsIdentity } from '../../../src/client/catalogs/segments.ts'
import type { Destination } from '../../../src/client/destination.ts'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { LuminaError } from '../../../src/errors.ts'
import { codeOf } from '../../contract/calls.ts'

const path = '.lumina/catalog/id.json'
const make = { make: true }

describe('the identity of a catalog in a bucket', () => {
  it('is made once, and the same for all from then on', async () => {
    const destination = memoryDestination()
    expect(await segmentsIdentity({ destination }, { make: false })).toBeUndefined()
    expect(destination.objects.size).toBe(0)
    const made = await segmentsIdentity({ destination }, make)
    expect(made?.readable).toBe(true)
    for (const how of [{ make: false }, make]) expect(await segmentsIdentity({ destination }, how)).toEqual(made)
    expect([...destination.objects.keys()]).toEqual([path])
    expect(await segmentsIdentity({ destination: memoryDestination() }, make)).not.toEqual(made)
  })

  it('is the first of those that race, where one put wins', async () => {
    const destination = memoryDestination()
    const made = await Promise.all(Array.from({ length: 10 }, () => segmentsIdentity({ destination }, make)))
    expect(new Set(made.map((identity) => identity?.id)).size).toBe(1)
  })

  it('is agreed on after a race where several puts got through', async () => {
    const destination = memoryDestination({ atomicNoClobber: false })
    await Promise.all(Array.from({ length: 10 }, () => segmentsIdentity({ destination }, make)))
    const after = await Promise.all(Array.from({ length: 10 }, () => segmentsIdentity({ destination }, make)))
    expect(new Set(after.map((identity) => identity?.id)).size).toBe(1)
  })

  it.each<[string, Partial<Destination>]>([
    [
      'that says so',
      {
        put: async (key) => {
          throw new LuminaError('key-taken', `${key} exists already.`)
        },
      },
    ],
    [
      'that says nothing',
      {
        put: async (key) => {
          throw new LuminaError('unconfirmed', `Nobody can tell whether ${key} was stored.`)
        },
      },
    ],
    ['that takes it, and does not give it back', {}],
  ])('is one of this machine’s own in a bucket that can’t be read: one %s', async (_, more) => {
    const destination: Destination = {
      ...memoryDestination(),
      // as a policy that lets nothing but new objects in
      get: (...asked) => memoryDestination().get?.(...asked) as AsyncIterable<Uint8Array>,
      ...more,
    }
    const identity = await segmentsIdentity({ destination }, make)
    expect(identity).toMatchObject({ readable: false })
    expect(await segmentsIdentity({ destination }, make)).toEqual(identity)
  })

  it('is refused where nothing may be written', async () => {
    const destination: Destination = {
      ...memoryDestination(),
      put: async () => {
        throw new LuminaError('destination-refused', 'No.')
      },
    }
    expect(await codeOf(segmentsIdentity({ destination }, make))).toBe('destination-refused')
    expect(await segmentsIdentity({ destination }, { make: false })).toBeUndefined()
  })

  it.each(['', 'garbage', '{"id":"../../x"}', '{"id":7}', 'null', '{"id":"a"}', `{"id":"${'a'.repeat(1_000_000)}"}`])(
    'is a harmless name whatever somebody has written there: %.20s',
    async (text) => {
      const destination = memoryDestination()
      destination.objects.set(path, Buffer.from(text))
      const identity = await segmentsIdentity({ destination }, make)
      expect(identity?.id).toMatch(/^[0-9a-f]{32}$/)
      expect(await segmentsIdentity({ destination }, make)).toEqual(identity)
    },
  )
})
