import { existsSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { until, type Program } from './program.ts'
import { createScene, digestsIn, tempsOf, type Scene } from './scene.ts'
import { isWindows } from './tools.ts'

describe('two runs that fill one library at once', () => {
  test.each([
    ['of one machine', 'state'],
    ['of two', 'other state'],
  ])('%s: nothing is lost, each content is stored once', async (_what, state) => {
    const scene = createScene()
    // the same names with other contents, and the same contents under other names
    for (const side of ['left', 'right']) {
      for (let at = 0; at < 150; at++)
        scene.add(`${side}/${at % 10}/IMG_${at}.jpg`, jpeg(`${side} ${at}`, 3000 + at * 50))
      for (let at = 0; at < 150; at++)
        scene.add(`${side}/common/${side} ${at}.jpg`, jpeg(`common ${at}`, 3000 + at * 50))
      scene.add(`${side}/${side}.mov`, movie('common', 20_000_000))
    }
    const uploads = ['left', 'right'].map((side, at) => {
      const more = [
        '--state',
        at === 0 ? scene.state : `${scene.root}/${state}`,
        '--concurrency',
        '2',
        '--bwlimit',
        '20M',
      ]
      return scene.start(['upload', `${scene.source}/${side}`, '--to', scene.library, '--json', ...more])
    })
    const ran = await Promise.all(uploads.map(({ ended }) => ended))
    for (const { code, summary } of ran) {
      expect(code).toBe(0)
      expect(summary).toMatchObject({ found: 301, failed: 0 })
    }
    expect(ran.reduce((sum, { summary }) => sum + summary.uploaded, 0)).toBe(150 + 150 + 151)
    const contents = [...new Set(digestsIn(scene.source).values())].toSorted()
    expect([...digestsIn(scene.library).values()].toSorted()).toEqual(contents)
    expect((await scene.verify()).code).toBe(0)
    expect(tempsOf(scene)).toEqual([])
  })
})

describe('one run per source and destination at a time', () => {
  async function startLong(scene: Scene): Promise<Program> {
    const run = scene.start(['upload', scene.source, '--to', scene.library, '--json', '--bwlimit', '2M'])
    await until('it sends', () => run.said.of('progress').some(({ inFlightBytes }) => inFlightBytes > 0))
    return run
  }

  function sceneWithMovie(): Scene {
    const scene = createScene()
    scene.add('long.mov', movie('long', 24_000_000))
    return scene
  }

  test('a second one exits 11, and the first is not disturbed', async () => {
    const scene = sceneWithMovie()
    const first = await startLong(scene)
    const second = await scene.upload()
    expect(second.code).toBe(11)
    expect(second.stderr).toMatch(/^lumina: Another run has the same source and destination\.\n.*--wait\.\n$/)
    expect(second.stdout).toBe('')
    expect(first.running()).toBe(true)
    first.kill('SIGKILL')
    await first.ended
    // the lock died with its owner
    expect((await scene.upload()).code).toBe(0)
    expect(existsSync(`${scene.library}/long.mov`)).toBe(true)
  })

  test.skipIf(isWindows)('--wait waits for the end of the first', async () => {
    const scene = sceneWithMovie()
    const first = await startLong(scene)
    const second = scene.start(['upload', scene.source, '--to', scene.library, '--json', '--wait'])
    await until('it says so', () => second.said.stderr.includes('Waiting for another run'))
    expect(second.said.stdout).toBe('')
    first.kill('SIGINT')
    expect((await first.ended).code).toBe(130)
    const ran = await second.ended
    expect(ran.outcomes).toEqual({ 'long.mov': 'uploaded' })
    expect(tempsOf(scene)).toEqual([])
  })

  test('another source goes to the same library meanwhile', async () => {
    const scene = sceneWithMovie()
    const first = await startLong(scene)
    const other = createScene()
    other.add('one.jpg', jpeg(1))
    const ran = await scene.run(['upload', other.source, '--to', scene.library, '--json'])
    expect(ran.outcomes).toEqual({ 'one.jpg': 'uploaded' })
    expect(first.running()).toBe(true)
    first.kill('SIGKILL')
    await first.ended
  })
})
