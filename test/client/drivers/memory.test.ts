import { expect, it } from 'vitest'
import { memoryDestination } from '../../../src/client/drivers/memory.ts'
import { call } from '../../contract/calls.ts'
import { testDestination } from '../../contract/destination.ts'
import { content, sourceOf } from '../../contract/sources.ts'

testDestination('memory', () => ({ destination: memoryDestination(), halves: () => [] }))

it('lets the last writer win where it is asked to have no conditional writes', async () => {
  const destination = memoryDestination({ atomicNoClobber: false })
  await destination.put('a', sourceOf(content(3, 1)), call())
  await destination.put('a', sourceOf(content(3, 2)), call())
  expect(destination.objects.get('a')).toEqual(content(3, 2))
})
