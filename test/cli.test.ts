import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'

import { main, reportError } from '../src/cli/main.ts'
import { parse } from '../src/cli/program.ts'
import { settingNames, settingOf } from '../src/config/settings.ts'
import { LuminaError } from '../src/errors.ts'
import { fakeIo } from './report/fake-io.ts'

const program = join(import.meta.dirname, '..', 'src', 'cli.ts')
const root = mkdtempSync(join(tmpdir(), 'lumina-cli-'))
const home = join(root, 'home')
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home)
})

/** A home of its own on every platform, and nothing of ours in the environment. */
const env = {
  HOME: home,
  USERPROFILE: home,
  APPDATA: join(home, 'roaming'),
  LOCALAPPDATA: join(home, 'local'),
  XDG_CONFIG_HOME: join(home, '.config'),
  XDG_STATE_HOME: join(home, '.state'),
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
  NODE_OPTIONS: undefined,
}

const lumina = (args: string[], more: { env?: Record<string, string>; cwd?: string } = {}) =>
  execa(process.execPath, [program, ...args], { reject: false, cwd: root, ...more, env: { ...env, ...more.env } })

const saysNoStack = (text: string): void => expect(text).not.toMatch(/^\s+at /m)

describe('as a process', () => {
  test('--version is one line', async () => {
    const { stdout, stderr, exitCode } = await lumina(['--version'])
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: 'source', stderr: '', exitCode: 0 })
  })

  test.each([
    ['--hepl', '--help'],
    ['uplod', 'upload'],
    ['upload x --concurency 2', '--concurrency'],
    ['verify x --quik', '--quick'],
    ['config lst', 'list'],
  ])('%s: did you mean %s?', async (line, meant) => {
    const { stdout, stderr, exitCode } = await lumina(line.split(' '))
    expect(stderr).toContain(`Did you mean ${meant}?`)
    expect(stderr.split('\n')).toHaveLength(2)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })

  test.each([
    ['upload', 'no path is given'],
    ['verify', 'no path is given'],
    ['index', "missing required argument 'library'"],
    ['upload x --to', "option '--to <destination>' argument missing"],
    ['status extra', 'too many arguments'],
  ])('%s is a usage error', async (line, message) => {
    const { stderr, exitCode } = await lumina(line.split(' '))
    expect(stderr).toMatch(/^lumina: /)
    expect(stderr).toContain(message)
    expect(exitCode).toBe(2)
  })

  test('no command: the help, on stderr, and exit 2', async () => {
    const { stdout, stderr, exitCode } = await lumina([])
    expect(stderr).toMatch(/^Usage: lumina/)
    expect(stderr).not.toContain('lumina: ')
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })

  test('a config that is not JSON is one line with the place, and a hint', async () => {
    const folder = join(root, 'broken')
    mkdirSync(folder)
    writeFileSync(join(folder, 'lumina.config.json'), '{\n  "retries": 3,\n}')
    const { stderr, exitCode } = await lumina(['config', 'list'], { cwd: folder })
    expect(stderr).toContain('lumina.config.json:3:1 is not JSON')
    saysNoStack(stderr)
    expect(exitCode).toBe(2)
  })

  test('settings survive the process', async () => {
    expect(await lumina(['config', 'set', 'destinations.nas', '/nas'])).toMatchObject({ exitCode: 0, stdout: '' })
    expect((await lumina(['config', 'set', 'to', 'nas'])).exitCode).toBe(0)
    expect((await lumina(['config', 'get', 'to'])).stdout).toBe('nas')
    expect((await lumina(['config', 'get', 'to'], { env: { LUMINA_TO: './x' } })).stdout).toBe('./x')
  })

  test.each([
    ['upload', 's3://user:hunter2@bucket'],
    ['upload', 'x', '--to', 'https://user:hunter2@host'],
    ['upload', 'x', '--to=https://hunter2@host'],
    ['config', 'set', 'to', 's3://AKIA:hun/ter2@bucket'],
    ['https://u:hunter2@host'],
  ])('%s %s: a secret on the command line is refused and not echoed', async (...args) => {
    const { all, exitCode } = await execa(process.execPath, [program, ...args], {
      reject: false,
      all: true,
      cwd: root,
      env,
    })
    expect(exitCode).toBe(2)
    expect(all).toMatch(/environment .*_FILE/)
    expect(all).not.toMatch(/hunter2|hun\/ter2|AKIA/)
  })

  test('what a name holds does not reach the terminal', async () => {
    const { stderr } = await lumina(['upl\u001b[31m\u202eoad'])
    expect(stderr).toContain('upl\\x1b[31m\\u202eoad')
  })

  test.skipIf(process.platform === 'win32')('nobody reads stdout: a quiet end, as by SIGPIPE', async () => {
    const child = spawn(process.execPath, [program, 'config', 'list'], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
  })

  test.skipIf(process.platform !== 'linux')('a full disk under stdout is an error, and no stack', async () => {
    const { stderr, exitCode } = await execa(
      'sh',
      ['-c', `"${process.execPath}" "${program}" config list > /dev/full`],
      { reject: false, cwd: root, env },
    )
    expect(stderr).toMatch(/^lumina: stdout cannot be written: ENOSPC/)
    saysNoStack(stderr)
    expect(exitCode).toBe(1)
  })

  test.skipIf(process.platform === 'win32')('a folder that is gone is one line', async () => {
    const gone = join(root, 'gone')
    const line = `mkdir "${gone}" && cd "${gone}" && rmdir "${gone}" && exec "${process.execPath}" "${program}" config list`
    const { stderr, exitCode } = await execa('sh', ['-c', line], { reject: false, cwd: root, env })
    expect(stderr).toBe('lumina: the folder you are in does not exist any more\n  cd to another one')
    expect(exitCode).toBe(2)
  })
})

describe('help', () => {
  const help = (...args: string[]): string => {
    const io = fakeIo()
    expect(parse([...args, '--help'], io)).toBe(0)
    return io.stdout.text
  }

  test.each(['upload', 'verify', 'status', 'config', 'doctor', 'index', 'login', 'init'] as const)(
    '%s has examples that are understood',
    (command) => {
      const examples =
        help(command)
          .split('Examples:\n')[1]
          ?.split('\n')
          .filter((line) => /^ {2}\S/.test(line)) ?? []
      expect(examples.length).toBeGreaterThan(1)
      for (const line of examples) {
        const words = / ?lumina ([^|>]*)/.exec(line)?.[1]?.match(/'[^']*'|\S+/g) ?? []
        expect(
          parse(
            words.map((word) => word.replaceAll("'", '')),
            fakeIo(),
          ),
          line,
        ).toMatchObject({ command })
      }
    },
  )

  test.each(['list', 'get', 'set', 'unset'])('config %s has its own', (command) => {
    expect(help('config', command).split('Examples:\n')[1]).toMatch(new RegExp(`^  lumina config ${command} `))
  })

  test('the top has the exit codes', () => {
    for (const code of [0, 1, 2, 4, 5, 9, 10, 11, 70, 130]) expect(help()).toMatch(new RegExp(`^ .*\\b${code}\\b`, 'm'))
  })

  test('every setting with a flag is in the help of its commands', () => {
    for (const name of settingNames.filter((each) => !settingOf(each).commands.includes('config'))) {
      const { flag, commands } = settingOf(name)
      for (const command of commands) expect(help(command)).toMatch(new RegExp(`--(no-)?${flag}\\b`))
    }
  })
})

describe('flags', () => {
  const flags = (...args: string[]): unknown => {
    const invocation = parse(args, fakeIo())
    return typeof invocation === 'number' ? invocation : invocation.flags
  }

  test('arrive as they were written', () => {
    expect(flags('upload', '-n', '-vv', '-0', '--files-from', '-', '--exclude', 'a', '--exclude', 'b,c', 'x')).toEqual({
      dryRun: true,
      verbose: 2,
      nul: true,
      filesFrom: '-',
      exclude: ['a', 'b,c'],
    })
    expect(flags('upload', 'x', '--no-progress', '--no-wait')).toEqual({ progress: false, wait: false })
    expect(flags('upload', 'x')).toEqual({})
  })

  test('paths keep their order, and `--` ends the flags', () => {
    expect(parse(['upload', 'a', 'b', '--', '-n'], fakeIo())).toMatchObject({ args: ['a', 'b', '-n'], flags: {} })
  })
})

describe('errors', () => {
  const state = join(root, 'state')
  const run = (argv: string[] = [], variables: NodeJS.ProcessEnv = {}) => {
    const io = fakeIo({ env: { LUMINA_STATE: state, ...variables } })
    return { io, argv }
  }

  test("a person's error is a line and a hint", () => {
    const at = run()
    expect(reportError(new LuminaError('destination-full', 'it is full', { hint: 'make room' }), at)).toBe(4)
    expect(at.io.stderr.text).toBe('lumina: it is full\n  make room\n')
  })

  test('a bug is one line, and where it struck goes into a file for its owner alone, without secrets', () => {
    const at = run(['upload', 'x'], { AWS_SECRET_ACCESS_KEY: 'hunter2hunter2' })
    expect(reportError(new TypeError('boom at https://u:pw12345@h with hunter2hunter2'), at)).toBe(70)
    expect(at.io.stderr.text).toContain('lumina: internal error: boom at https://***@h with ***\n')
    saysNoStack(at.io.stderr.text)
    const [file] = readdirSync(state).map((name) => join(state, name)) as [string]
    expect(at.io.stderr.text).toContain(file)
    const report = readFileSync(file, 'utf8')
    expect(report).toMatch(/^\s+at /m)
    expect(report).not.toMatch(/hunter2|pw12345/)
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('-v and LUMINA_DEBUG show the stack', () => {
    for (const at of [run(['upload', '-nv']), run([], { LUMINA_DEBUG: '1' })]) {
      reportError(new TypeError('boom'), at)
      expect(at.io.stderr.text).toMatch(/^\s+at /m)
    }
  })

  test('a reader that went away is no error', async () => {
    const io = fakeIo()
    io.hang.abort(Object.assign(new Error('gone'), { code: 'EPIPE' }))
    expect(await main(['--help'], io)).toBe(141)
    expect(io.stderr.text).toBe('')
  })
})
