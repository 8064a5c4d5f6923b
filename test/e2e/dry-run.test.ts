import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { cr2, jpeg, movie, xmp } from './contents.ts'
import { createScene, sha256, type Scene } from './scene.ts'

/** Everything below a folder as it is: names, sizes, times, contents. */
function snapshot(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .toSorted()
    .filter((path) => !path.startsWith('temporary'))
    .map((path) => {
      const stats = lstatSync(join(folder, path))
      const content = stats.isFile() ? sha256(readFileSync(join(folder, path))) : ''
      return `${path} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino} ${content}`
    })
}

function fill(scene: Scene): void {
  scene.add('a/one.jpg', jpeg(1))
  // in one folder, and so in one batch: of two batches, which comes first is chance
  scene.add('a/one again.jpg', jpeg(1))
  scene.add('b/two.jpg', jpeg(2))
  scene.add('a/IMG_7.cr2', cr2(7))
  scene.add('a/IMG_7.jpg', jpeg(7))
  scene.add('a/IMG_7.xmp', xmp('seven'))
  scene.add('long.mov', movie('long', 20_000_000))
  scene.add('empty.jpg', '')
  scene.add('notes.txt', 'notes')
}

async function expectSameAsReal(scene: Scene, ...flags: string[]): Promise<void> {
  // with more of them, which of two copies comes first is chance
  const more = [...flags, '--concurrency', '1']
  const before = snapshot(scene.root)
  const dry = await scene.upload(['--dry-run', ...more])
  expect(snapshot(scene.root)).toEqual(before)
  expect(readdirSync(scene.temporary)).toEqual([])
  expect(dry.summary.dryRun).toBe(true)
  expect(dry.stderr).toContain('Dry run: nothing was touched.')

  const real = await scene.upload(more)
  expect(dry.outcomes).toEqual(real.outcomes)
  expect(dry.code).toBe(real.code)
  const { found, uploaded, skippedBy, bytes, failed } = real.summary
  expect(dry.summary).toMatchObject({ found, uploaded, skippedBy, bytes, failed })
  const keys = (ran: typeof real): string[] =>
    ran
      .of('uploaded')
      .map(({ path, key, digest }) => `${path} → ${key} ${digest}`)
      .toSorted()
  expect(keys(dry)).toEqual(keys(real))
}

describe('--dry-run touches nothing, and says what then happens', () => {
  test('where there is no library yet', async () => {
    const scene = createScene()
    fill(scene)
    await expectSameAsReal(scene)
  })

  test('where some of it is stored', async () => {
    const scene = createScene()
    scene.add('a/one.jpg', jpeg(1))
    scene.add('long.mov', movie('long', 20_000_000))
    await scene.upload()
    fill(scene)
    await expectSameAsReal(scene)
  })

  test('where names are taken by other contents', async () => {
    const scene = createScene()
    scene.add('a/one.jpg', jpeg('other'))
    scene.add('a/IMG_7.jpg', jpeg('another'))
    await scene.upload()
    fill(scene)
    await expectSameAsReal(scene)
  })

  test('where the layout brings names together', async () => {
    const scene = createScene()
    fill(scene)
    mkdirSync(join(scene.source, 'c'))
    scene.add('c/one.jpg', jpeg('third'))
    await expectSameAsReal(scene, '--layout', '{name}{ext}')
  })
})
