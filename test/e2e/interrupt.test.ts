import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { jpeg, movie } from './contents.ts'
import { until, type Program, type Ran } from './program.ts'
import { createScene, digestsIn, sha256, tempsOf, type Scene } from './scene.ts'
import { hasStrace, isWindows, needs } from './tools.ts'

const mebibyte = 1024 * 1024
const movieBytes = 40 * mebibyte

// Windows has no signals: there a program ends another without its knowing
describe.skipIf(isWindows)('a first signal', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s saves how far it came, tells what it did, and exits %i', async (signal, code) => {
    const scene = sceneWithMovie()
    const run = scene.start([...uploadOf(scene), '--bwlimit', '10M', '--concurrency', '1'])
    const inode = await until('the middle of the movie', () => inodeOfHalf(scene))
    run.kill(signal)
    const ran = await run.ended
    expect(ran.code).toBe(code)
    expect(ran.signal).toBeUndefined()
    expect(ran.stderr).toContain('Interrupted. The same command goes on where this one stopped.')
    expect(ran.summary).toMatchObject({ found: 31, ended: 'interrupted', failed: 0 })
    expect(ran.outcomes['long.mov']).toBe('interrupted')
    expect([...digestsIn(scene.library).keys()]).not.toContain('long.mov')

    const status = await scene.run(['status', '--json'])
    const { resumable } = JSON.parse(status.stdout) as { resumable: { path: string }[] }
    expect(resumable.map(({ path }) => path)).toEqual([join(scene.source, 'long.mov')])

    const again = await scene.upload()
    expect(again.code).toBe(0)
    expect(statSync(join(scene.library, 'long.mov')).ino).toBe(inode)
    expectStored(scene)
    expect(tempsOf(scene)).toEqual([])
  })

  test('leaves what was not begun for the next run, each file told', async () => {
    const scene = createScene()
    for (let at = 0; at < 300; at++) scene.add(`${at % 50}/${at}.jpg`, jpeg(at, 40_000))
    const run = scene.start([...uploadOf(scene), '--bwlimit', '1M', '--concurrency', '2'])
    await until('the first file', () => run.said.of('uploaded').length > 0)
    run.kill('SIGINT')
    const { code, summary, outcomes } = await run.ended
    expect(code).toBe(130)
    expect(summary.ended).toBe('interrupted')
    expect(summary.uploaded).toBeGreaterThan(0)
    expect(new Set(Object.values(outcomes))).toEqual(new Set(['uploaded', 'interrupted']))
    const again = await scene.upload()
    expect(again.summary).toMatchObject({ found: 300, uploaded: 300 - summary.uploaded, failed: 0 })
    expectStored(scene)
  })
})

describe.skipIf(!hasStrace)(`with every lane blocked (${needs.strace})`, () => {
  describe.each([
    ['a read', 'pread64'],
    ['an open', 'openat'],
  ] as const)('in %s', (_what, call) => {
    test('the first signal still tells what was done, then ends', async () => {
      const scene = sceneWithMovie()
      const run = await startBlocked(scene, call)
      run.kill('SIGINT')
      const ran = await endOfBlocked(run)
      expect(ran.code).toBe(130)
      // of a file that was never read, nobody can say that its name lies
      expect(ran.summary).toMatchObject({ ended: 'interrupted', lyingExtensions: 0 })
      expect(ran.outcomes['stuck-1.mov']).toBe('interrupted')
      expect(ran.outcomes['stuck-2.mov']).toBe('interrupted')
      expect((await scene.upload()).code).toBe(0)
      expectStored(scene)
      expect(tempsOf(scene)).toEqual([])
    })

    test('the second signal ends it at once', async () => {
      const scene = sceneWithMovie()
      const run = await startBlocked(scene, call)
      run.kill('SIGINT')
      await until('it has heard the first', () => run.said.stderr.includes('once more ends it now'))
      // one that comes in the same moment counts for the same
      const ran = await endOfBlocked(run, () => run.kill('SIGINT'))
      expect(ran.signal).toBe('SIGINT')
      // it did not come to its own end, which takes 10 s
      expect(ran.of('summary')).toEqual([])
      expect((await scene.upload()).code).toBe(0)
      expectStored(scene)
      expect(tempsOf(scene)).toEqual([])
    })
  })
})

function uploadOf({ source, library }: Scene): string[] {
  return ['upload', source, '--to', library, '--json']
}

function sceneWithMovie(): Scene {
  const scene = createScene()
  for (let at = 0; at < 30; at++) scene.add(`small/${at}.jpg`, jpeg(at))
  scene.add('long.mov', movie('long', movieBytes))
  return scene
}

/** An upload whose two lanes have come to a read or open of two files that won't come back for minutes. */
async function startBlocked(scene: Scene, call: 'pread64' | 'openat'): Promise<Program> {
  const stuck = [1, 2].map((at) => scene.add(`${at}/stuck-${at}.mov`, movie(at, mebibyte)))
  const log = join(scene.root, 'calls')
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:delay_enter=300s`]
  const under = ['strace', '-D', '-f', '-qq', '-o', log, ...inject, ...stuck.flatMap((path) => ['-P', path])]
  const run = scene.start([...uploadOf(scene), '--concurrency', '2'], { under })
  await until('both lanes stand there', () => stuck.every((path) => isStoodAt(path, run.pid)))
  return run
}

/** Its end, by itself: strace would not let go of threads that it holds, so it goes as soon as their process is dead. */
async function endOfBlocked(run: Program, again = (): unknown => undefined): Promise<Ran> {
  const tracer = Number(/^TracerPid:\t(\d+)$/m.exec(textOf(`/proc/${run.pid}/status`))?.[1])
  await until('its end', () => {
    const isDead = !run.running() || /\) [ZX] /.test(textOf(`/proc/${run.pid}/stat`))
    if (!isDead) again()
    return isDead
  })
  process.kill(tracer, 'SIGKILL')
  return run.ended
}

/** Whether a thread stands at the entry of a system call that has this file as its argument, by descriptor or by name. */
function isStoodAt(path: string, pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).some((thread) => {
    const [, ...words] = textOf(`/proc/${pid}/task/${thread}/syscall`).split(' ')
    return words.some(
      (word) =>
        linkOf(`/proc/${pid}/fd/${Number(word)}`) === path ||
        stringAt(pid, Number(word), path.length + 1) === `${path}\0`,
    )
  })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // the thread has ended
    return ''
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    // the argument was no descriptor
    return undefined
  }
}

function stringAt(pid: number, address: number, length: number): string | undefined {
  if (!Number.isSafeInteger(address)) return undefined
  const fd = openSync(`/proc/${pid}/mem`, 'r')
  try {
    const into = Buffer.alloc(length)
    return readSync(fd, into, 0, length, address) === length ? into.toString() : undefined
  } catch {
    // the argument was no address
    return undefined
  } finally {
    closeSync(fd)
  }
}

function inodeOfHalf({ library }: Scene): number | undefined {
  const tmp = join(library, '.lumina', 'tmp')
  const files = tempsOf({ library }).map((name) => statSync(join(tmp, name), { throwIfNoEntry: false }))
  return files.find((stats) => stats?.isFile() === true && stats.size > movieBytes / 10)?.ino
}

function expectStored({ source, library }: Scene): void {
  for (const [path, digest] of digestsIn(source)) {
    expect(sha256(readFileSync(join(library, path))), path).toBe(digest)
  }
}
