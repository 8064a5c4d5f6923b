import { appendFileSync, chmodSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'

import { expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { until, type Program, type Ran } from './program.ts'
import { createScene, digestsIn, sha256, tempsOf, type Scene } from './scene.ts'
import { isRoot, isWindows } from './tools.ts'

const mebibyte = 1024 * 1024

/** An upload that has come to the middle of a large file. */
async function startMidway(scene: Scene, under: readonly string[] = []): Promise<Program> {
  const args = ['upload', scene.source, '--to', scene.library, '--json', '--bwlimit', '8M', '--concurrency', '1']
  const run = scene.start(args, { under })
  await until('the middle of the movie', () => run.said.of('progress').some(({ inFlightBytes }) => inFlightBytes > 0))
  return run
}

function sceneWithMovie(): Scene {
  const scene = createScene()
  scene.add('long.mov', movie('long', 20 * mebibyte))
  scene.add('other.jpg', jpeg(1))
  return scene
}

/** All at once, as programs save: there is no moment when it is empty. */
function replace(path: string, content: Buffer): void {
  writeFileSync(`${path}.part`, content)
  renameSync(`${path}.part`, path)
}

/** Whatever is in the library is whole: one of the contents that the file ever had. */
function expectOnlyWhole({ library }: Scene, contents: readonly Buffer[]): void {
  const known = new Set(contents.map(sha256))
  for (const [path, digest] of digestsIn(library)) expect(known.has(digest), `${path} is half`).toBe(true)
}

async function expectHealed(scene: Scene): Promise<void> {
  const again = await scene.upload()
  expect(again.code).toBe(0)
  expect((await scene.verify()).code).toBe(0)
  expect(tempsOf(scene)).toEqual([])
}

test.each<[string, (path: string) => void]>([
  ['shrinks', (path) => truncateSync(path, 3 * mebibyte)],
  ['grows', (path) => appendFileSync(path, Buffer.alloc(mebibyte))],
  ['becomes another', (path) => replace(path, movie('another', 20 * mebibyte))],
])('a file that %s while it is sent is looked at again, and never half stored', async (_what, change) => {
  const scene = sceneWithMovie()
  const path = join(scene.source, 'long.mov')
  const before = readFileSync(path)
  const run = await startMidway(scene)
  change(path)
  const ran = await run.ended
  const after = readFileSync(path)
  expectOnlyWhole(scene, [before, after, jpeg(1)])
  expect(ran.outcomes).toEqual({ 'long.mov': 'uploaded', 'other.jpg': 'uploaded' })
  expect(digestsIn(scene.library).get('long.mov')).toBe(sha256(after))
  expect(ran.of('uploaded').find(({ key }) => key === 'long.mov')?.bytes).toBe(after.length)
  await expectHealed(scene)
})

test('a file that never stops changing fails by that name, and the rest is stored', async () => {
  const scene = sceneWithMovie()
  const path = join(scene.source, 'long.mov')
  const before = readFileSync(path)
  const run = await startMidway(scene)
  // somebody's recording goes on
  const writer = setInterval(() => appendFileSync(path, 'more'), 20)
  const ran = await run.ended.finally(() => clearInterval(writer))
  expect(ran.outcomes).toEqual({ 'long.mov': 'changed-while-reading', 'other.jpg': 'uploaded' })
  expect(ran.code).toBe(1)
  expect(ran.stderr).toContain('Run the same command again when nothing writes to it.')
  expectOnlyWhole(scene, [before, jpeg(1)])
  await expectHealed(scene)
})

test.skipIf(isWindows)(
  'a file that vanishes while it is sent is stored from what was open, or fails: never half',
  async () => {
    const scene = sceneWithMovie()
    const path = join(scene.source, 'long.mov')
    const before = readFileSync(path)
    const run = await startMidway(scene)
    rmSync(path)
    const { outcomes, code } = await run.ended
    // its last link going away changes its ctime, so it may be looked for again
    expect(['uploaded', 'vanished']).toContain(outcomes['long.mov'])
    expect(code).toBe(outcomes['long.mov'] === 'uploaded' ? 0 : 1)
    expectOnlyWhole(scene, [before, jpeg(1)])
    expect((await scene.upload()).code).toBe(0)
    expect(tempsOf(scene)).toEqual([])
  },
)

test.skipIf(isWindows)('files that vanish between the walk and their turn fail by that name', async () => {
  const scene = sceneWithMovie()
  const late = scene.add('z late.jpg', jpeg(2))
  const later = scene.add('z/later.jpg', jpeg(3))
  const run = await startMidway(scene)
  rmSync(late)
  rmSync(later)
  const { outcomes } = await run.ended
  expect(outcomes['long.mov']).toBe('uploaded')
  // small files of a batch are read before its large ones are sent
  expect(['uploaded', 'vanished']).toContain(outcomes['z late.jpg'])
  expect(['uploaded', 'vanished', undefined]).toContain(outcomes['later.jpg'])
})

const asUser = isRoot ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : []
const cannotDrop = isRoot && spawnSync('setpriv', ['--version']).status !== 0

test.skipIf(isWindows || cannotDrop)(
  'a file that loses its permission fails by that, and is stored once it is back (needs setpriv as root)',
  async () => {
    const scene = sceneWithMovie()
    const path = join(scene.source, 'long.mov')
    const run = await startMidway(scene, asUser)
    // takes effect when it is opened again, since its ctime is another now
    chmodSync(path, 0)
    const ran: Ran = await run.ended
    expect(ran.outcomes['long.mov']).toBe('unreadable')
    expect(ran.stderr).toContain('Check its permissions.')
    expect(ran.code).toBe(1)
    expect([...digestsIn(scene.library).keys()]).toEqual(['other.jpg'])
    chmodSync(path, 0o600)
    await expectHealed(scene)
  },
)
