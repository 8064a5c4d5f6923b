import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { jpeg } from './contents.ts'
import type { Ran } from './program.ts'
import { createScene, filesIn } from './scene.ts'
import { isRoot, isWindows } from './tools.ts'

/** One line that says it, one that says what to do, and the exit code. */
function expectRefusal({ code, stderr, stdout }: Ran, exitCode: number, line: RegExp): void {
  expect(stderr.trimEnd().split('\n')[0]).toMatch(line)
  expect(stderr.trimEnd().split('\n').length, stderr).toBeLessThanOrEqual(2)
  expect(code).toBe(exitCode)
  expect(stdout).toBe('')
}

describe('arguments', () => {
  test('no such path: nothing is begun', async () => {
    const scene = createScene()
    const ran = await scene.run(['upload', scene.source, './not-there', '--to', scene.library])
    expectRefusal(ran, 2, /^lumina: There is no \.\/not-there\.$/)
    expect(ran.stderr).toContain('Check the spelling')
    expect(existsSync(scene.library)).toBe(false)
  })

  test('a path twice, and one inside another, count once', async () => {
    const scene = createScene()
    const photo = scene.add('a/b/one.jpg', jpeg(1))
    scene.add('two.jpg', jpeg(2))
    const { source, library } = scene
    const paths = [source, join(source, 'a'), photo, source, `${source}/`, join(source, 'a', '..')]
    const ran = await scene.run(['upload', ...paths, '--to', library, '--json'])
    expect(ran.summary).toMatchObject({ found: 2, uploaded: 2 })
    expect(filesIn(library)).toEqual(['a/b/one.jpg', 'two.jpg'])
  })

  test('the same file by two names in the arguments counts once', async () => {
    const scene = createScene()
    const photo = scene.add('one.jpg', jpeg(1))
    const ran = await scene.run(['upload', photo, 'source/one.jpg', '--to', scene.library, '--json'])
    expect(ran.summary).toMatchObject({ found: 1, uploaded: 1 })
  })

  test('a library inside the source is left out of it', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    const library = join(scene.source, 'sub', 'library')
    const upload = async (): Promise<Ran> => scene.run(['upload', scene.source, '--to', library, '--json'])
    expect((await upload()).summary).toMatchObject({ found: 1, uploaded: 1 })
    expect((await upload()).summary).toMatchObject({ found: 1, skippedBy: { 'already-there': 1 } })
    expect(filesIn(library)).toEqual(['one.jpg'])
    const verdict = await scene.run(['verify', scene.source, '--to', library, '--json'])
    expect(verdict.stderr).toContain('NOT safe to wipe: all of it is stored, but in a library inside the source.')
    expect(verdict.code).toBe(1)
  })

  test('a source inside the library is refused', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    await scene.upload()
    mkdirSync(join(scene.library, 'below'))
    for (const source of [scene.library, join(scene.library, 'below')]) {
      for (const command of ['upload', 'verify']) {
        expectRefusal(await scene.run([command, source, '--to', scene.library, '--json']), 2, /lies in the library/)
      }
    }
  })

  test('a list that names what is stored is no proof of anything', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    await scene.upload()
    const list = join(scene.root, 'list')
    writeFileSync(list, `${join(scene.library, 'one.jpg')}\n`)
    const ran = await scene.run(['verify', '--files-from', list, '--to', scene.library, '--json'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/lies in the library/)
    expect(ran.stderr).not.toContain('Safe to wipe')
  })

  test('a layout that names no field is refused before a library is made', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    const ran = await scene.upload(['--layout', '{bogus}/{name}{ext}'])
    expectRefusal(ran, 2, /unknown field \{bogus\}/)
    expect(existsSync(scene.library)).toBe(false)
  })

  test('an unknown flag is told with what was meant', async () => {
    const scene = createScene()
    const ran = await scene.run(['upload', scene.source, '--to', scene.library, '--dry-rum'])
    expectRefusal(ran, 2, /--dry-rum/)
    expect(ran.stderr).toContain('--dry-run')
  })

  test('a config that is not JSON is told with its place', async () => {
    const scene = createScene()
    const file = join(scene.root, 'config', 'lumina', 'config.json')
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, '{ "to": ')
    const ran = await scene.run(['upload', scene.source])
    expectRefusal(ran, 2, /config\.json/)
  })

  test('a library that is a file is refused', async () => {
    const scene = createScene()
    writeFileSync(scene.library, '')
    expectRefusal(await scene.upload(), 2, /is a file, not a folder/)
  })
})

describe.skipIf(isWindows)('what is no photo', () => {
  test('FIFOs and sockets are told, and never opened', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    spawnSync('mkfifo', [join(scene.source, 'pipe.jpg')])
    const server = createServer().listen(join(scene.source, 'socket.jpg'))
    onTestFinished(() => void server.close())
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({ 'one.jpg': 'uploaded', 'pipe.jpg': 'special-file', 'socket.jpg': 'special-file' })
    expect(ran.code).toBe(0)
  })

  test('a FIFO that is named itself does not hold the run', async () => {
    const scene = createScene()
    const pipe = join(scene.source, 'pipe.jpg')
    spawnSync('mkfifo', [pipe])
    const ran = await scene.run(['upload', pipe, '--to', scene.library, '--json'])
    expect(ran.outcomes).toEqual({ 'pipe.jpg': 'special-file' })
  })

  test('an empty file is named, and is not stored', async () => {
    const scene = createScene()
    scene.add('empty.jpg', '')
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({ 'empty.jpg': 'empty' })
    expect(ran.stderr).toContain('empty.jpg')
    const verdict = await scene.verify()
    expect(verdict.code).toBe(1)
    expect(verdict.outcomes).toEqual({ 'empty.jpg': 'empty' })
  })

  test('litter and text stay where they are', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    scene.add('.DS_Store', 'x')
    scene.add('._one.jpg', jpeg(2))
    scene.add('@eaDir/thumb.jpg', jpeg(3))
    scene.add('notes.txt', 'to buy: film')
    scene.add('really text.jpg', 'to buy: film')
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({
      'one.jpg': 'uploaded',
      'notes.txt': 'not-a-photo',
      'really text.jpg': 'not-a-photo',
    })
    expect(ran.summary.lyingExtensions).toBe(1)
  })
})

describe.skipIf(isWindows)('links', () => {
  test('are not followed', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    symlinkSync('one.jpg', join(scene.source, 'link.jpg'))
    symlinkSync(scene.source, join(scene.source, 'loop'))
    symlinkSync('nowhere', join(scene.source, 'dangling.jpg'))
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({
      'one.jpg': 'uploaded',
      'link.jpg': 'symlink',
      loop: 'symlink',
      'dangling.jpg': 'symlink',
    })
  })

  test('are followed with --follow-symlinks, and loops end', async () => {
    const scene = createScene()
    scene.add('a/one.jpg', jpeg(1))
    mkdirSync(join(scene.root, 'elsewhere'))
    writeFileSync(join(scene.root, 'elsewhere', 'two.jpg'), jpeg(2))
    symlinkSync(join(scene.root, 'elsewhere'), join(scene.source, 'a', 'more'))
    symlinkSync(scene.source, join(scene.source, 'a', 'up'))
    symlinkSync('.', join(scene.source, 'self'))
    symlinkSync('nowhere', join(scene.source, 'dangling.jpg'))
    const ran = await scene.upload(['--follow-symlinks'])
    expect(ran.outcomes).toEqual({ 'one.jpg': 'uploaded', 'two.jpg': 'uploaded', 'dangling.jpg': 'vanished' })
    expect(filesIn(scene.library)).toEqual(['a/more/two.jpg', 'a/one.jpg'])
    expect(ran.code).toBe(1)
  })

  test('two names of one inode are one content', async () => {
    const scene = createScene()
    linkSync(scene.add('one.jpg', jpeg(1)), join(scene.source, 'two.jpg'))
    const { summary } = await scene.upload()
    expect(summary).toMatchObject({ found: 2, uploaded: 1, skippedBy: { 'already-there': 1 } })
    expect(filesIn(scene.library).length).toBe(1)
  })
})

describe('trees', () => {
  test('300 folders deep', async () => {
    const scene = createScene()
    scene.add(`${'d/'.repeat(300)}deep.jpg`, jpeg(1))
    const ran = await scene.upload()
    expect(ran.outcomes).toEqual({ 'deep.jpg': 'uploaded' })
    expect((await scene.verify()).code).toBe(0)
  })

  // root reads what it likes
  test.skipIf(isWindows || (isRoot && spawnSync('setpriv', ['--version']).status !== 0))(
    'a folder and a file that cannot be read are failures of their own, not the end (needs a user who is not root, or setpriv)',
    async () => {
      const scene = createScene()
      scene.add('one.jpg', jpeg(1))
      scene.add('closed/two.jpg', jpeg(2))
      const unreadable = scene.add('three.jpg', jpeg(3))
      chmodSync(unreadable, 0)
      chmodSync(join(scene.source, 'closed'), 0)
      onTestFinished(() => chmodSync(join(scene.source, 'closed'), 0o700))
      const user = isRoot
        ? [
            'setpriv',
            '--bounding-set',
            '-dac_override,-dac_read_search',
            '--inh-caps',
            '-dac_override,-dac_read_search',
          ]
        : []
      const ran = await scene.upload([], { under: user })
      expect(ran.outcomes).toEqual({ 'one.jpg': 'uploaded', closed: 'unreadable', 'three.jpg': 'unreadable' })
      expect(ran.code).toBe(1)
      expect(ran.stderr).toContain('Check its permissions')
      expect((await scene.verify([], { under: user })).code).toBe(1)
    },
  )
})

describe('--files-from', () => {
  test.each([
    ['lines', '\n', []],
    ['NUL', '\0', ['-0']],
  ] as const)('takes names by %s from stdin', async (_name, end, flags) => {
    const scene = createScene()
    const names = [
      scene.add('a/one.jpg', jpeg(1)),
      'source/b/two three.jpg',
      './source/a/one.jpg',
      '',
      scene.add('unlisted/gone.jpg', jpeg(4)) + 'x',
    ]
    scene.add('b/two three.jpg', jpeg(2))
    const ran = await scene.run(['upload', '--files-from', '-', ...flags, '--to', scene.library, '--json'], {
      input: names.join(end),
    })
    expect(ran.outcomes).toEqual({ 'one.jpg': 'uploaded', 'two three.jpg': 'uploaded', 'gone.jpgx': 'vanished' })
    expect(ran.code).toBe(1)
    expect(filesIn(scene.library)).toEqual(['a/one.jpg', 'b/two three.jpg'])
  })

  test('a list that is not there is refused', async () => {
    const scene = createScene()
    expectRefusal(
      await scene.run(['upload', '--files-from', 'nowhere', '--to', scene.library]),
      2,
      /nowhere can't be read/,
    )
  })
})
