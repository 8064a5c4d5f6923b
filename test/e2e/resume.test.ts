import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { movie } from './contents.ts'
import { until, type Ran } from './program.ts'
import { createScene, digestsIn, sha256, tempsOf, type Scene } from './scene.ts'
import { grounds, hasStrace, needs } from './tools.ts'

const mebibyte = 1024 * 1024

interface Begun {
  /** Of the whole file. */
  movieBytes: number
  temp: string
  inode: number
  bytes: number
}

describe.each(grounds)('a transfer of 200 MB that was killed, at %s', (_ground, folder) => {
  test('goes on in the file that it had begun', async () => {
    const scene = sceneWithMovie(200 * mebibyte, folder)
    const begun = await killMidway(scene)
    const { outcomes } = await scene.upload()
    expect(outcomes).toEqual({ 'long.mov': 'uploaded' })
    // the finished file is the begun one: it was linked to its name
    expect(statSync(join(scene.library, 'long.mov')).ino).toBe(begun.inode)
    expectStored(scene)
  })

  test.skipIf(!hasStrace)(`writes only what was missing (${needs.strace})`, async () => {
    const scene = sceneWithMovie(200 * mebibyte, folder)
    const begun = await killMidway(scene)
    const log = join(scene.root, 'writes')
    const under = ['strace', '-D', '-f', '-qq', '-o', log, '-e', 'trace=pwrite64', '-P', begun.temp]
    await scene.upload([], { under })
    expect(bytesWritten(log)).toBe(begun.movieBytes - begun.bytes)
    expectStored(scene)
  })
})

describe('a transfer that was killed', () => {
  test('begins again when the file has changed since', async () => {
    const scene = sceneWithMovie()
    await killMidway(scene)
    scene.add('long.mov', movie('another', 50 * mebibyte))
    expectUploaded(await scene.upload())
    expectStored(scene)
  })

  test('lets go of its half when the file is too small to resume by now', async () => {
    const scene = sceneWithMovie()
    await killMidway(scene)
    scene.add('long.mov', movie('short', mebibyte))
    expectUploaded(await scene.upload())
    expectStored(scene)
  })

  test('never joins two contents, though size and time are the same', async () => {
    const scene = sceneWithMovie()
    const path = join(scene.source, 'long.mov')
    const { atimeMs, mtimeMs } = statSync(path)
    await killMidway(scene)
    const fd = openSync(path, 'r+')
    writeSync(fd, 'other bytes, in what is already held', 10 * mebibyte)
    closeSync(fd)
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000)
    expectUploaded(await scene.upload())
    expectStored(scene)
  })

  test('is not trusted beyond what it holds of the source: damaged bytes are sent again', async () => {
    const scene = sceneWithMovie()
    const begun = await killMidway(scene)
    const fd = openSync(begun.temp, 'r+')
    writeSync(fd, 'a disk that lies', 12 * mebibyte)
    closeSync(fd)
    expectUploaded(await scene.upload())
    expectStored(scene)
  })

  test('is sent from its beginning when its half is gone', async () => {
    const scene = sceneWithMovie()
    const begun = await killMidway(scene)
    rmSync(begun.temp)
    expectUploaded(await scene.upload())
    expectStored(scene)
  })
})

function sceneWithMovie(bytes = 50 * mebibyte, folder?: string): Scene {
  const scene = createScene(folder)
  scene.add('long.mov', movie('long', bytes))
  return scene
}

/** Kills an upload once its temporary file holds a good part; what that file is. */
async function killMidway(scene: Scene): Promise<Begun> {
  const { size: movieBytes } = statSync(join(scene.source, 'long.mov'))
  const run = scene.start(['upload', scene.source, '--to', scene.library, '--bwlimit', `${movieBytes / 2}`])
  const temp = await until('a good part is held', () => tempWith(scene, movieBytes / 3))
  run.kill('SIGKILL')
  await run.ended
  const { ino, size } = statSync(temp)
  expect(size).toBeLessThan(movieBytes)
  expect(digestsIn(scene.library).size, 'nothing half is visible').toBe(0)
  return { movieBytes, temp, inode: ino, bytes: size }
}

function tempWith({ library }: Scene, bytes: number): string | undefined {
  const tmp = join(library, '.lumina', 'tmp')
  try {
    const names = readdirSync(tmp, { recursive: true }) as string[]
    return names.map((name) => join(tmp, name)).find((path) => statSync(path).size >= bytes && statSync(path).isFile())
  } catch {
    // not there yet, or not any more
    return undefined
  }
}

/** The sum of what strace has seen written. */
function bytesWritten(log: string): number {
  return [...readFileSync(log, 'utf8').matchAll(/pwrite64\(.*= (\d+)$|resumed>.*= (\d+)$/gm)]
    .map(([, whole, resumed]) => Number(whole ?? resumed))
    .reduce((sum, bytes) => sum + bytes, 0)
}

function expectUploaded({ outcomes, code }: Ran): void {
  expect(outcomes).toEqual({ 'long.mov': 'uploaded' })
  expect(code).toBe(0)
}

function expectStored(scene: Scene): void {
  expect(digestsIn(scene.library).get('long.mov')).toBe(sha256(readFileSync(join(scene.source, 'long.mov'))))
  expect(tempsOf(scene)).toEqual([])
}
