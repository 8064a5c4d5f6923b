import { readFileSync, rmSync } from 'node:fs'

import { expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { createScene, digestsIn, sha256 } from './scene.ts'

test('a run stores everything, and a second run nothing', async () => {
  const scene = createScene()
  const photo = scene.add('a/one.jpg', jpeg(1))
  scene.add('b/clip.mov', movie(2, 20_000_000))
  const first = await scene.upload()
  expect(first.code).toBe(0)
  expect(first.outcomes).toEqual({ 'one.jpg': 'uploaded', 'clip.mov': 'uploaded' })
  expect(digestsIn(scene.library).get('a/one.jpg')).toBe(sha256(readFileSync(photo)))
  const second = await scene.upload()
  expect(second.outcomes).toEqual({ 'one.jpg': 'already-there', 'clip.mov': 'already-there' })
  expect((await scene.verify()).code).toBe(0)
})

test('a lost ledger costs a second look at the files, and no second upload', async () => {
  const scene = createScene()
  scene.add('a/one.jpg', jpeg(1))
  scene.add('b/clip.mov', movie(2, 300_000))
  await scene.upload()
  rmSync(scene.state, { recursive: true })
  const { outcomes, code } = await scene.upload()
  expect(code).toBe(0)
  expect(outcomes).toEqual({ 'one.jpg': 'already-there', 'clip.mov': 'already-there' })
})
