import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { createScene, digestsIn, sha256 } from './scene.ts'
import { hasStrace, needs } from './tools.ts'

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

test('a content that lies there often is sent once', async () => {
  const scene = createScene()
  for (let at = 0; at < 30; at++) scene.add(`${at % 5}/copy ${at}.jpg`, jpeg('the same', 30_000))
  for (let at = 0; at < 6; at++) scene.add(`${at}/copy ${at}.mov`, movie('the same', 20_000_000))
  const { summary, code } = await scene.upload(['--concurrency', '2'])
  expect(code).toBe(0)
  expect(summary).toMatchObject({ found: 36, uploaded: 2, skippedBy: { 'already-there': 34 } })
  expect(digestsIn(scene.library).size).toBe(2)
})

test('a renamed or moved file is not sent again', async () => {
  const scene = createScene()
  const photo = scene.add('a/one.jpg', jpeg(1))
  await scene.upload()
  renameSync(photo, join(scene.source, 'moved.jpg'))
  expect((await scene.upload()).outcomes).toEqual({ 'moved.jpg': 'already-there' })
})

test('--rehash sees a change that size and times hide', async () => {
  const scene = createScene()
  const photo = scene.add('one.jpg', jpeg(1))
  const { atimeMs, mtimeMs } = statSync(photo)
  await scene.upload()
  writeFileSync(photo, jpeg('other'))
  utimesSync(photo, atimeMs / 1000, mtimeMs / 1000)
  expect((await scene.upload(['--rehash'])).outcomes).toEqual({ 'one.jpg': 'uploaded' })
})

test.skipIf(!hasStrace)(`a rerun opens no unchanged file (${needs.strace})`, async () => {
  const scene = createScene()
  for (let at = 0; at < 50; at++) scene.add(`${at % 5}/${at}.jpg`, jpeg(at))
  scene.add('text.txt', 'no photo')
  await scene.upload()
  const changed = scene.add('3/3.jpg', jpeg('changed'))
  const log = join(scene.root, 'opened')
  const { summary } = await scene.upload([], {
    under: ['strace', '-f', '-qq', '-o', log, '-e', 'trace=open,openat,openat2'],
  })
  expect(summary).toMatchObject({ found: 51, uploaded: 1 })
  const opened = [...readFileSync(log, 'utf8').matchAll(/"([^"]+)"/g)].map(([, path = '']) => path)
  const files = opened.filter((path) => path.startsWith(scene.source) && /\.(jpg|txt)$/.test(path))
  expect(new Set(files)).toEqual(new Set([changed]))
})
