import { mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { jpeg } from './contents.ts'
import { createScene, tempsOf } from './scene.ts'

const dayMs = 24 * 60 * 60 * 1000

test('what a run left half goes after 7 days, when nobody holds it, and no sooner', async () => {
  const scene = createScene()
  scene.add('one.jpg', jpeg(1))
  await scene.upload()
  const leave = (run: string, days: number): void => {
    const folder = join(scene.library, '.lumina', 'tmp', run)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '0-1'), 'half')
    const then = new Date(Date.now() - days * dayMs)
    utimesSync(join(folder, '0-1'), then, then)
  }
  leave('week-old', 7.1)
  leave('younger', 6.9)
  expect((await scene.upload()).code).toBe(0)
  expect(tempsOf(scene).filter((path) => /week-old|younger/.test(path))).toEqual(['younger', join('younger', '0-1')])

  expect((await scene.run(['doctor', '--to', scene.library, '--sweep'])).stdout).toContain('1 temporary file')
  expect(tempsOf(scene)).toEqual([])
})

test('what lies behind a link in a library is nobody’s to sweep', async () => {
  const scene = createScene()
  scene.add('one.jpg', jpeg(1))
  await scene.upload()
  const album = join(scene.root, 'pictures', '2014')
  mkdirSync(album, { recursive: true })
  for (const name of ['IMG_1.jpg', '0-1']) {
    writeFileSync(join(album, name), 'irreplaceable')
    utimesSync(join(album, name), 1_400_000_000, 1_400_000_000)
  }
  const temps = join(scene.library, '.lumina', 'tmp')
  rmSync(temps, { recursive: true, force: true })
  symlinkSync(join(scene.root, 'pictures'), temps, 'junction')
  await scene.upload()
  await scene.run(['doctor', '--to', scene.library, '--sweep'])
  expect(readdirSync(album).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['0-1', 'IMG_1.jpg'])
})
