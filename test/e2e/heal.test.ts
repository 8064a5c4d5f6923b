import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { createScene, digestsIn, sha256 } from './scene.ts'

test('verify names what is missing or rotten, and the next upload stores it again', async () => {
  const scene = createScene()
  for (let at = 0; at < 20; at++) scene.add(`${at % 3}/${at}.jpg`, jpeg(at))
  scene.add('long.mov', movie('long', 1_000_000))
  await scene.upload()
  rmSync(join(scene.library, '0', '3.jpg'))
  const rotten = join(scene.library, 'long.mov')
  const content = readFileSync(rotten)
  content[600_000] = (content[600_000] ?? 0) ^ 1
  writeFileSync(rotten, content)
  appendFileSync(join(scene.library, '1', '4.jpg'), 'x')

  // the catalog alone cannot know
  expect((await scene.verify(['--quick'])).code).toBe(0)
  const verdict = await scene.verify()
  expect(verdict.code).toBe(1)
  expect(verdict.outcomes).toMatchObject({
    '3.jpg': 'missing',
    'long.mov': 'rotten',
    '4.jpg': 'rotten',
    '5.jpg': 'verified',
  })
  for (const name of ['3.jpg', 'long.mov', '4.jpg']) expect(verdict.stderr).toContain(name)
  expect(verdict.stderr).toContain('NOT safe to wipe')

  const healed = await scene.upload()
  expect(healed.code).toBe(0)
  expect(
    healed
      .of('uploaded')
      .map(({ path }) => path.split('/').at(-1))
      .toSorted((a = '', b = '') => a.localeCompare(b)),
  ).toEqual(['3.jpg', '4.jpg', 'long.mov'])
  expect(digestsIn(scene.library).get('0/3.jpg')).toBe(sha256(jpeg(3)))
  const after = await scene.verify()
  expect(after.code).toBe(0)
  expect(after.stderr).toContain('Safe to wipe')
  expect((await scene.upload()).summary.uploaded).toBe(0)
})

test('verify of what was never uploaded, or changed since, is no', async () => {
  const scene = createScene()
  scene.add('one.jpg', jpeg(1))
  await scene.upload()
  scene.add('two.jpg', jpeg(2))
  const one = scene.add('one.jpg', jpeg('1, edited'))
  const verdict = await scene.verify()
  expect(verdict.outcomes).toEqual({ 'one.jpg': 'unknown', 'two.jpg': 'unknown' })
  expect(verdict.code).toBe(1)
  expect(readFileSync(one)).toEqual(jpeg('1, edited'))
})

test('verify of nothing proves nothing', async () => {
  const scene = createScene()
  scene.add('one.jpg', jpeg(1))
  await scene.upload()
  rmSync(join(scene.source, 'one.jpg'))
  expect((await scene.verify()).code).toBe(1)
})
