import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { until } from './program.ts'
import { createScene, tempsOf, type Scene } from './scene.ts'

const yearMs = 365 * 24 * 3600 * 1000

/** Settings under which the program's clock shows what `js`, an expression of the true time `now`, makes of it. */
function clockOf({ root }: Scene, js: string): { env: Record<string, string> } {
  const file = join(root, 'clock.cjs')
  writeFileSync(file, `const real = Date.now; Date.now = () => { const now = real(); return Math.round(${js}) }\n`)
  return { env: { NODE_OPTIONS: `--require ${JSON.stringify(file)}` } }
}

test('a clock that runs backwards changes nothing', async () => {
  const scene = createScene()
  for (let at = 0; at < 100; at++) scene.add(`${at % 9}/${at}.jpg`, jpeg(at))
  scene.add('long.mov', movie('long', 20_000_000))
  const ran = await scene.upload([], clockOf(scene, '2e12 - 100 * (now - 1.7e12)'))
  expect(ran.code).toBe(0)
  expect(ran.summary.uploaded).toBe(101)
  expect(ran.summary.seconds).toBeGreaterThanOrEqual(0)
  const again = await scene.upload()
  expect(again.summary.skippedBy).toEqual({ 'already-there': 101 })
  expect((await scene.run(['status'])).code).toBe(0)
})

test('what a killed run had claimed until next year is free for another machine', async () => {
  const scene = createScene()
  for (let at = 0; at < 40; at++) scene.add(`${at % 9}/${at}.jpg`, jpeg(at, 60_000))
  scene.add('long.mov', movie('long', 20_000_000))
  const args = ['upload', scene.source, '--to', scene.library, '--json']
  const run = scene.start([...args, '--bwlimit', '1M'], clockOf(scene, `now + ${yearMs}`))
  await until('it stores', () => run.said.of('uploaded').length > 0)
  run.kill('SIGKILL')
  await run.ended
  const ran = await scene.upload(['--state', join(scene.root, 'another state')], clockOf(scene, `now - ${yearMs}`))
  expect(ran.code).toBe(0)
  expect(ran.summary.failed).toBe(0)
  expect((await scene.verify()).code).toBe(0)
  // and the first machine, whose clock was set right since, has nothing left to do
  const first = await scene.upload()
  expect(first.summary.uploaded).toBe(0)
  expect(tempsOf(scene)).toEqual([])
})
