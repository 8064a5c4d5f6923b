import { expect, it } from 'vitest'
import { isAccountedFor, jpeg, outcomesOf, World } from './harness.ts'

it('runs the pipeline in this process', async () => {
  const world = new World()
  world.write('a/IMG_1.jpg', jpeg(1))
  world.write('b/IMG_2.jpg', jpeg(2, 500_000))
  const ran = await world.run()
  expect(isAccountedFor(ran)).toBe(true)
  expect(outcomesOf(ran, world.source)).toEqual({
    'a/IMG_1.jpg': 'uploaded a/IMG_1.jpg',
    'b/IMG_2.jpg': 'uploaded b/IMG_2.jpg',
  })
  expect(world.keys).toEqual(['a/IMG_1.jpg', 'b/IMG_2.jpg'])
})
