import { expect, test } from 'vitest'

import type { LaneClient } from '../../src/pipeline/lanes/client.ts'
import { jpeg, World } from './harness.ts'

test('a lane answers after some thousand files, and the folders it left are walked all the same', async () => {
  const world = new World()
  const folders = 12
  const files = 1000
  for (let folder = 0; folder < folders; folder++) {
    for (let file = 0; file < files; file++) world.write(`${folder}/${file}.jpg`, jpeg(folder * files + file))
  }
  let most = 0
  const watched = (client: LaneClient): LaneClient => ({
    ...client,
    async scan(tasks) {
      const scanned = await client.scan(tasks)
      most = Math.max(
        most,
        scanned.batches.reduce((sum, batch) => sum + batch.files, 0),
      )
      return scanned
    },
  })
  const ran = await world.run({ lane: watched })
  expect(ran.uploaded).toBe(folders * files)
  // the folder that passes 4096 is finished, and none is begun after it
  expect(most).toBeLessThan(4096 + files)
})
