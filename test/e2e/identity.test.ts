import { mkdirSync, renameSync, rmSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { jpeg } from './contents.ts'
import type { Ran } from './program.ts'
import { createScene, filesIn, type Scene } from './scene.ts'

async function storedScene(): Promise<Scene> {
  const scene = createScene()
  scene.add('one.jpg', jpeg(1))
  scene.add('two.jpg', jpeg(2))
  expect((await scene.upload()).code).toBe(0)
  return scene
}

function expectUnmounted({ code, stderr }: Ran): void {
  expect(code).toBe(4)
  expect(stderr).toMatch(
    /^lumina: (The library at .* is not there any more|At .* lies another library than last time)\.\n {2}Is its disk mounted\?.*--new-library\.\n$/,
  )
}

describe('a library that is remembered', () => {
  test.each<[string, (scene: Scene) => void | Promise<void>]>([
    ['is missing', ({ library }) => rmSync(library, { recursive: true })],
    [
      'is an empty folder, as an unmounted disk leaves it',
      ({ library }) => {
        rmSync(library, { recursive: true })
        mkdirSync(library)
      },
    ],
    [
      'is another one',
      async ({ library, source, root, run }) => {
        renameSync(library, `${library} of before`)
        await run(['upload', source, '--to', library, '--state', `${root}/another machine`])
      },
    ],
  ])('and %s: nothing is written there, exit 4, "mounted?"; --new-library says it is meant', async (_what, change) => {
    const scene = await storedScene()
    await change(scene)
    const before = filesIn(scene.library)
    expectUnmounted(await scene.upload())
    expectUnmounted(await scene.upload())
    expect(filesIn(scene.library)).toEqual(before)
    const ran = await scene.upload(['--new-library'])
    expect(ran.code).toBe(0)
    expect(filesIn(scene.library)).toEqual(['one.jpg', 'two.jpg'])
    expect((await scene.upload()).summary.skippedBy).toEqual({ 'already-there': 2 })
  })

  test('and was moved: at its new place nothing is sent again', async () => {
    const scene = await storedScene()
    renameSync(scene.library, `${scene.library} moved`)
    const ran = await scene.run(['upload', scene.source, '--to', `${scene.library} moved`, '--json'])
    expect(ran.summary.skippedBy).toEqual({ 'already-there': 2 })
  })
})
