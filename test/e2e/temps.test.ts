import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
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
