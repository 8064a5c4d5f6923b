import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test, type TestContext } from 'vitest'

import { jpeg, movie, noise } from './contents.ts'
import { createScene, digestsIn, sha256, tempsOf, type Scene } from './scene.ts'
import { isRoot, isWindows, mountMemory, needs, remount } from './tools.ts'

const mebibyte = 1024 * 1024

/** A library on a file system of its own, of which `ballast` holds all but `freeBytes`. */
function sceneWithRoom(freeBytes: number, { skip }: TestContext): Scene & { ballast: string } {
  const scene = createScene()
  const sizeBytes = 40 * mebibyte
  if (!mountMemory(scene.library, String(sizeBytes))) skip(needs.mount)
  const ballast = join(scene.library, '.ballast')
  writeFileSync(ballast, noise('ballast', sizeBytes - freeBytes))
  return { ...scene, ballast }
}

/** What is in the library is whole, and is what was said to be there. */
function expectOnlyWhole({ source, library }: Scene, stored: number): void {
  const photos = [...digestsIn(library)].filter(([path]) => path !== '.ballast')
  expect(photos.length).toBe(stored)
  for (const [path, digest] of photos) expect(sha256(readFileSync(join(source, path)))).toBe(digest)
}

async function expectFullThenDone(scene: Scene & { ballast: string }, atFull = (): void => undefined): Promise<void> {
  const full = await scene.upload()
  expect(full.code).toBe(4)
  expect(full.stderr).toMatch(/no room for|is full/)
  expect(full.stderr).toContain('Free some space')
  expect(full.summary.ended).toBe('error')
  expectOnlyWhole(scene, full.summary.uploaded)
  atFull()

  rmSync(scene.ballast)
  const done = await scene.upload()
  expect(done.code).toBe(0)
  expect(done.summary.uploaded).toBe(full.summary.found - full.summary.uploaded)
  expect((await scene.verify()).code).toBe(0)
  expect(tempsOf(scene)).toEqual([])
}

test(`no room for a large file: not a byte of it is written, exit 4 (${needs.mount})`, async (context) => {
  const scene = sceneWithRoom(8 * mebibyte, context)
  scene.add('long.mov', movie('long', 20 * mebibyte))
  await expectFullThenDone(scene, () => {
    const temps = tempsOf(scene).map((name) => statSync(join(scene.library, '.lumina', 'tmp', name)))
    expect(temps.filter((stats) => stats.isFile() && stats.size > 0)).toEqual([])
  })
})

test(`full in the middle of many files: what was told is stored, the rest follows when there is room (${needs.mount})`, async (context) => {
  const scene = sceneWithRoom(5 * mebibyte, context)
  for (let at = 0; at < 120; at++) scene.add(`${at % 9}/${at}.jpg`, jpeg(at, 80_000))
  await expectFullThenDone(scene)
})

test(`no room for the catalog itself is said in one line, exit 4, and the rest follows (${needs.mount})`, async (context) => {
  const scene = sceneWithRoom(20 * 1024, context)
  scene.add('one.jpg', jpeg(1))
  const full = await scene.upload()
  expect(full.code).toBe(4)
  expect(full.stderr).toContain('Free some space')
  rmSync(scene.ballast)
  expect((await scene.upload()).summary.uploaded).toBe(1)
})

test(`no room for the ledger is said in one line, with another folder as a way out (${needs.mount})`, async ({
  skip,
}) => {
  const scene = createScene()
  if (!mountMemory(scene.state, String(2 * mebibyte))) skip(needs.mount)
  scene.add('one.jpg', jpeg(1))
  expect((await scene.upload()).code).toBe(0)
  fill(join(scene.state, 'ballast'))
  scene.add('two.jpg', jpeg(2))
  const full = await scene.upload()
  expect(full.code).toBe(2)
  expect(full.stderr).toContain('--state')
})

/** Takes all the room that there is. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(4096))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    closeSync(file)
  }
}

test(`another program takes the room in the middle of a large file (${needs.mount})`, async (context) => {
  const scene = sceneWithRoom(30 * mebibyte, context)
  scene.add('long.mov', movie('long', 25 * mebibyte))
  const run = scene.start(['upload', scene.source, '--to', scene.library, '--json', '--bwlimit', '10M'])
  await expect
    .poll(() => run.said.of('progress').some(({ inFlightBytes }) => inFlightBytes > 0), { timeout: 20_000 })
    .toBe(true)
  const intruder = join(scene.library, '.intruder')
  try {
    writeFileSync(intruder, noise('intruder', 30 * mebibyte))
  } catch {
    // as much of it as there is room for
  }
  const full = await run.ended
  expect(full.code).toBe(4)
  expect(full.stderr).toContain('is full')
  expectOnlyWhole({ ...scene, library: join(scene.library, 'none') }, 0)
  rmSync(intruder)
  rmSync(scene.ballast)
  expect((await scene.upload()).code).toBe(0)
  expect((await scene.verify()).code).toBe(0)
  expect(tempsOf(scene)).toEqual([])
})

test(`a library that is read-only: exit 4, and it says so (${needs.mount})`, async (context) => {
  const scene = sceneWithRoom(30 * mebibyte, context)
  scene.add('one.jpg', jpeg(1))
  if (!remount(scene.library, 'ro')) context.skip(needs.mount)
  const fresh = await scene.upload()
  expect(fresh.code).toBe(4)
  expect(fresh.stderr).toMatch(/^lumina: The library can't be written/)
  expect(fresh.stderr).toContain('mounted read-only')

  remount(scene.library, 'rw')
  expect((await scene.upload()).code).toBe(0)
  remount(scene.library, 'ro')
  scene.add('two.jpg', jpeg(2))
  const full = await scene.upload()
  expect(full.code).toBe(4)
  expect(full.stderr).toMatch(/^lumina: The library can't be written/)
  // what is stored can be compared all the same
  const verdict = await scene.verify()
  expect(verdict.outcomes).toEqual({ 'one.jpg': 'verified', 'two.jpg': 'unknown' })
  expect((await scene.upload(['--dry-run'])).outcomes).toEqual({ 'one.jpg': 'already-there', 'two.jpg': 'uploaded' })
})

test.skipIf(isWindows || !isRoot)(
  'a library in a folder of somebody else: exit 4 (needs chattr, or a user who is not root)',
  async ({ skip }) => {
    const scene = createScene('/var/tmp')
    scene.add('one.jpg', jpeg(1))
    execFileSync('mkdir', [scene.library])
    try {
      execFileSync('chattr', ['+i', scene.library], { stdio: 'ignore' })
    } catch {
      skip('chattr is not to be had here')
    }
    try {
      const { code, stderr } = await scene.upload()
      expect(code).toBe(4)
      expect(stderr).toMatch(/^lumina: The library can't be written/)
    } finally {
      execFileSync('chattr', ['-i', scene.library])
    }
  },
)
