import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { jpeg, movie, randomFrom } from './contents.ts'
import { until, type Program } from './program.ts'
import { createScene, digestsIn, filesIn, sha256, tempsOf, type Scene } from './scene.ts'
import { grounds, hasSha256sum } from './tools.ts'

const kills = 25
const smallFiles = 150
const largeFiles = [21, 26, 31, 38]
const mebibyte = 1024 * 1024

/** A content that has been acknowledged: the file that holds it from then on. */
type Acknowledged = Map<string, { key: string; inode: number }>

describe.each(grounds)('kill -9 at %s', (_ground, folder) => {
  test(`at ${kills} moments of one upload: a rerun ends with a whole library, and sends nothing acknowledged again`, async () => {
    const scene = createScene(folder)
    fill(scene)
    const random = randomFrom(`moments on ${folder}`)
    const acknowledged: Acknowledged = new Map()

    for (let kill = 0; kill < kills; kill++) {
      // slowly enough that there is something left to kill, whatever the machine
      const args = ['upload', scene.source, '--to', scene.library, '--json', '--bwlimit', '40M', '--concurrency', '2']
      const run = scene.start(args)
      await atMoment(run, scene, random)
      expect(run.kill('SIGKILL'), `it ended before kill ${kill}:\n${run.said.stderr}`).toBe(true)
      expect((await run.ended).signal).toBe('SIGKILL')
      acknowledge(run, scene, acknowledged)
    }

    const last = scene.start(['upload', scene.source, '--to', scene.library, '--json'])
    const ended = await last.ended
    expect(ended.stderr).toContain('All that was found is stored.')
    expect(ended.code).toBe(0)
    acknowledge(last, scene, acknowledged)

    expect((await scene.verify()).code).toBe(0)
    expectWhole(scene)
    expect(tempsOf(scene)).toEqual([])
    for (const [path, { key, inode }] of acknowledged) {
      expect(statSync(join(scene.library, key)).ino, `${path} was stored a second time`).toBe(inode)
    }
  })
})

function fill(scene: Scene): void {
  const random = randomFrom('sizes')
  for (let at = 0; at < smallFiles; at++) {
    scene.add(`day ${at % 30}/IMG_${at}.jpg`, jpeg(at, 2000 + Math.floor(random() * 300_000)))
  }
  // a content twice: it is stored once, whenever the kills come
  for (let at = 0; at < smallFiles; at += 10)
    scene.add(`copies/IMG_${at}.jpg`, readFileSync(join(scene.source, `day ${at % 30}/IMG_${at}.jpg`)))
  for (const [at, size] of largeFiles.entries()) scene.add(`day ${at * 7}/MVI_${at}.mov`, movie(at, size * mebibyte))
}

/** Waits for one of the moments of a run: while it starts, after some files, or in the middle of a large one. */
async function atMoment(run: Program, scene: Scene, random: () => number): Promise<void> {
  const kind = random()
  const amount = random()
  const after = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  if (kind < 0.25) return after(20 + amount * 150)
  // it may end before it comes so far, which the caller takes for a fault
  if (kind < 0.6) {
    const lines = 1 + Math.floor(amount * 6)
    await until(
      'some files',
      () => run.said.of('uploaded').length >= lines || midway(scene, mebibyte) || !run.running(),
    )
  } else
    await until(
      'a large file',
      () => midway(scene, amount * 12 * mebibyte) || run.said.of('uploaded').length >= 12 || !run.running(),
    )
  return after(random() * 12)
}

/** Whether a transfer under way holds `bytes`. */
function midway({ library }: Scene, bytes: number): boolean {
  const tmp = join(library, '.lumina', 'tmp')
  if (!existsSync(tmp)) return false
  return (readdirSync(tmp, { recursive: true }) as string[]).some((name) => {
    const stats = lstatSync(join(tmp, name), { throwIfNoEntry: false })
    return stats?.isFile() === true && stats.size > bytes
  })
}

function acknowledge(run: Program, scene: Scene, acknowledged: Acknowledged): void {
  for (const { path, key, digest } of run.said.of('uploaded')) {
    expect(acknowledged.has(path), `${path} was acknowledged twice`).toBe(false)
    // acknowledged means there, and whole, at the moment when it was said
    expect(sha256(readFileSync(join(scene.library, key)))).toBe(digest)
    acknowledged.set(path, { key, inode: statSync(join(scene.library, key)).ino })
  }
}

/** Every content of the source lies in the library, once, by two programs' reckoning. */
function expectWhole({ source, library }: Scene): void {
  const stored = [...digestsIn(library).values()].toSorted()
  const contents = [...new Set(digestsIn(source).values())].toSorted()
  expect(stored).toEqual(contents)
  if (!hasSha256sum) return
  const sums = (folder: string): string[] =>
    execFileSync('sha256sum', ['--zero', ...filesIn(folder)], { cwd: folder, encoding: 'utf8' })
      .split('\0')
      .filter(Boolean)
      .map((line) => line.slice(0, 64))
  expect(sums(library).toSorted()).toEqual(stored)
  expect([...new Set(sums(source))].toSorted()).toEqual(contents)
}
