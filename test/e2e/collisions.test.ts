import { readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { cr2, jpeg, jpegTaken, movie, xmp } from './contents.ts'
import { createScene, digestsIn, filesIn, sha256, type Scene } from './scene.ts'
import { isRoot, isWindows } from './tools.ts'

function stored({ library }: Scene, key: string): Buffer {
  return readFileSync(join(library, key))
}

describe('a name that belongs to another content', () => {
  async function collided(...flags: string[]): Promise<{ scene: Scene; ran: Awaited<ReturnType<Scene['upload']>> }> {
    const scene = createScene()
    scene.add('one.jpg', jpeg('first'))
    await scene.upload()
    scene.add('one.jpg', jpeg('second', 5000))
    scene.add('free.jpg', jpeg('free'))
    const ran = await scene.upload(flags)
    expect(sha256(stored(scene, 'one.jpg'))).toBe(sha256(jpeg('first')))
    expect(filesIn(scene.library)).toContain('free.jpg')
    return { scene, ran }
  }

  test('rename: it is stored beside that one', async () => {
    const { scene, ran } = await collided()
    expect(ran.code).toBe(0)
    expect(stored(scene, 'one-2.jpg')).toEqual(jpeg('second', 5000))
    scene.add('one.jpg', jpeg('third', 6000))
    await scene.upload()
    expect(stored(scene, 'one-3.jpg')).toEqual(jpeg('third', 6000))
  })

  test('skip', async () => {
    const { scene, ran } = await collided('--on-collision', 'skip')
    expect(ran.outcomes).toEqual({ 'one.jpg': 'collision', 'free.jpg': 'uploaded' })
    expect(ran.code).toBe(0)
    expect(ran.stderr).toContain('Not stored')
    expect(filesIn(scene.library)).toEqual(['free.jpg', 'one.jpg'])
    expect((await scene.verify()).code).toBe(1)
  })

  test('fail', async () => {
    const { scene, ran } = await collided('--on-collision', 'fail')
    expect(ran.outcomes).toEqual({ 'one.jpg': 'key-taken', 'free.jpg': 'uploaded' })
    expect(ran.code).toBe(1)
    expect(filesIn(scene.library)).toEqual(['free.jpg', 'one.jpg'])
  })

  test('a file that somebody put there by hand is not overwritten, and the same content is adopted', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    await scene.upload()
    scene.add('two.jpg', jpeg(2))
    scene.add('three.jpg', jpeg(3))
    writeFileSync(join(scene.library, 'two.jpg'), jpeg('by hand'))
    writeFileSync(join(scene.library, 'three.jpg'), jpeg(3))
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({ 'one.jpg': 'already-there', 'two.jpg': 'uploaded', 'three.jpg': 'already-there' })
    expect(stored(scene, 'two.jpg')).toEqual(jpeg('by hand'))
    expect(stored(scene, 'two-2.jpg')).toEqual(jpeg(2))
    expect((await scene.verify()).code).toBe(0)
  })
})

describe('pairs stay pairs', () => {
  test.each([['{dir}/{name}{ext}'], ['all/{name}{ext}']])('with the layout %s', async (layout) => {
    const scene = createScene()
    const shot = (dir: string, seed: string): void => {
      scene.add(`${dir}/IMG_1.CR2`, cr2(seed))
      scene.add(`${dir}/IMG_1.JPG`, jpeg(seed))
      scene.add(`${dir}/IMG_1.MOV`, movie(seed, 9000))
      scene.add(`${dir}/IMG_1.xmp`, xmp(seed))
      scene.add(`${dir}/IMG_1.JPG.xmp`, xmp(`${seed} jpeg`))
    }
    shot('card', 'first')
    await scene.upload(['--layout', layout])
    shot('card', 'second')
    shot('other', 'third')
    const ran = await scene.upload(['--layout', layout])
    expect(ran.code).toBe(0)
    const digests = digestsIn(scene.library)
    const counters = new Map<string, Set<string>>()
    for (const seed of ['first', 'second', 'third']) {
      const files = {
        CR2: cr2(seed),
        JPG: jpeg(seed),
        MOV: movie(seed, 9000),
        xmp: xmp(seed),
        'JPG.xmp': xmp(`${seed} jpeg`),
      }
      for (const [ext, content] of Object.entries(files)) {
        const key = [...digests].find(([path, digest]) => digest === sha256(content) && path.endsWith(ext))?.[0]
        expect(key, `${seed} .${ext} is stored`).toBeDefined()
        counters.set(seed, (counters.get(seed) ?? new Set()).add((key as string).slice(0, -ext.length - 1)))
      }
    }
    expect([...counters.values()].map(({ size }) => size)).toEqual([1, 1, 1])
    expect(digests.size).toBe(15)
    expect((await scene.verify()).code).toBe(0)
  })
})

test('a layout by date: from the photo, for its sidecar too, else from the file system, which the summary says', async () => {
  const scene = createScene()
  scene.add('a/IMG_1.jpg', jpegTaken(1, '2021:07:04 12:00:00'))
  scene.add('a/IMG_1.xmp', xmp('one'))
  scene.add('a/IMG_1.MOV', movie(1, 9000))
  scene.add('a/undated.jpg', jpeg(2))
  const june = Date.UTC(2019, 5, 15) / 1000
  utimesSync(join(scene.source, 'a/undated.jpg'), june, june)
  const ran = await scene.upload(['--layout', '{taken:yyyy}/{taken:MM}/{name}{ext}'])
  expect(ran.code).toBe(0)
  expect(filesIn(scene.library)).toEqual([
    '2019/06/undated.jpg',
    '2021/07/IMG_1.MOV',
    '2021/07/IMG_1.jpg',
    '2021/07/IMG_1.xmp',
  ])
  expect(ran.summary.datedByMtime).toBe(1)
  expect(ran.stderr).toContain('1 file dated by the file system')
  expect((await scene.verify()).code).toBe(0)
})

test.skipIf(isRoot || isWindows)(
  'an object that can not be read fails what wants its name, and nothing else',
  async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg('first'))
    await scene.upload()
    scene.add('two.jpg', jpeg('2.1'))
    writeFileSync(join(scene.library, 'two.jpg'), jpeg('2.2'), { mode: 0 })
    scene.add('z/last.jpg', jpeg('last'))
    const ran = await scene.upload()
    expect(ran.summary).toMatchObject({ found: 3, uploaded: 1, failed: 1, failedBy: { unreadable: 1 } })
    expect(ran.code).toBe(1)
  },
)
