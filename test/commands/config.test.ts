import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { type ConfigRequest, configure } from '../../src/commands/config.ts'
import { loadConfig } from '../../src/config.ts'
import type { Flags } from '../../src/config/layers.ts'
import { LuminaError } from '../../src/errors.ts'
import { fakeIo, type FakeIo } from '../report/fake-io.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-config-command-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
})

const userFile = (): string => join(root, 'user', 'config.json')
const kept = (): unknown => JSON.parse(readFileSync(userFile(), 'utf8'))

async function ask(
  request: ConfigRequest,
  { env = {}, flags = {} }: { env?: NodeJS.ProcessEnv; flags?: Flags } = {},
): Promise<FakeIo & { code: number }> {
  const io = fakeIo({ cwd: root, env })
  const places = { userFile: userFile(), stateDir: join(root, 'state') }
  const config = await loadConfig({ command: 'config', flags, env, cwd: root, nowMs: io.now(), places })
  return Object.assign(io, { code: await configure(config, request, io) })
}
const set = (key: string, ...values: string[]): ReturnType<typeof ask> => ask({ do: 'set', key, values })
const get = (key: string, more?: Parameters<typeof ask>[1]): ReturnType<typeof ask> => ask({ do: 'get', key }, more)

describe('set', () => {
  test('what is set is read back, as it was written', async () => {
    await set('bwlimit', '10M')
    await set('retries', '5')
    await set('wait', 'true')
    await set('exclude', '*.tmp', 'a,b')
    expect(kept()).toEqual({ bwlimit: '10M', retries: 5, wait: true, exclude: ['*.tmp', 'a,b'] })
    expect((await get('bwlimit')).stdout.text).toBe('10M\n')
    expect((await get('exclude')).stdout.text).toBe('*.tmp, a,b\n')
    expect((await get('bwlimit', { flags: { json: true } })).stdout.text).toBe(`${10 * 2 ** 20}\n`)
  })

  test.skipIf(process.platform === 'win32')('the file is for its owner alone, whatever it was before', async () => {
    await set('retries', '5')
    expect(statSync(userFile()).mode & 0o777).toBe(0o600)
  })

  test('paths hold from every folder', async () => {
    await set('destinations.here', './library')
    await set('to', 'here')
    await set('logFile', 'run.log')
    expect(kept()).toEqual({
      destinations: { here: join(root, 'library') },
      to: 'here',
      logFile: join(root, 'run.log'),
    })
    await set('to', 'a/b')
    expect(kept()).toMatchObject({ to: join(root, 'a/b') })
  })

  const refused: [key: string, ...values: string[]][] = [
    ['retries', 'many'],
    ['retries', '1', '2'],
    ['retrys', '1'],
    ['dryRun', 'true'],
    ['to', 'nowhere'],
    ['to', 's3://u:hunter2@bucket'],
    ['destinations.a/b', '/x'],
    ['destinations.a', 'b'],
    ['destinations.__proto__', '/x'],
    ['destinations', '/x'],
  ]
  test.each(refused)('%s %s is refused, and nothing is written', async (key, ...values) => {
    const error: unknown = await set(key, ...values).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LuminaError)
    expect(error).toMatchObject({ code: 'usage' })
    expect((error as LuminaError).message).not.toContain('hunter2')
    expect(() => statSync(userFile())).toThrow()
  })

  test('a file that is not JSON is left as it is', async () => {
    await set('retries', '5')
    writeFileSync(userFile(), '{ oops')
    await expect(set('retries', '6')).rejects.toMatchObject({ code: 'config' })
    expect(readFileSync(userFile(), 'utf8')).toBe('{ oops')
  })

  test('it says when a variable overrules it', async () => {
    const { stderr } = await ask({ do: 'set', key: 'retries', values: ['5'] }, { env: { LUMINA_RETRIES: '1' } })
    expect(stderr.text).toContain('LUMINA_RETRIES')
  })
})

describe('get and unset', () => {
  test('unset goes back to the default', async () => {
    await set('retries', '5')
    await set('destinations.nas', '/nas')
    await ask({ do: 'unset', key: 'retries' })
    await ask({ do: 'unset', key: 'destinations.nas' })
    expect((await get('retries')).stdout.text).toBe('3\n')
    expect((await get('destinations.nas')).code).toBe(1)
  })

  test('what is not set prints nothing and exits 1', async () => {
    expect(await get('bwlimit')).toMatchObject({ code: 1 })
    expect((await get('bwlimit')).stdout.text).toBe('')
  })

  test('an unknown name comes with what was probably meant', async () => {
    await expect(get('layuot')).rejects.toMatchObject({ code: 'usage', hint: 'Did you mean layout?' })
  })
})

describe('list', () => {
  test('--show-origin names flag, variable and file', async () => {
    await set('layout', '{name}')
    await set('destinations.nas', '/nas')
    const options = { env: { LUMINA_PREFIX: 'x\u001b' }, flags: { retries: '2' } }
    const { stdout } = await ask({ do: 'list', showOrigin: true }, options)
    expect(stdout.lines).toContain('retries = 2  (flag --retries)')
    expect(stdout.lines).toContain('prefix = x\\x1b  (variable LUMINA_PREFIX)')
    expect(stdout.lines).toContain(`layout = {name}  (user file ${userFile()})`)
    expect(stdout.lines).toContain('onCollision = rename  (default)')
    expect(stdout.lines).toContain('bwlimit is not set  (default)')
    expect(stdout.lines).toContain(`destinations.nas = /nas  (user file ${userFile()})`)
  })

  test('--json is one value for programs', async () => {
    const { stdout } = await ask(
      { do: 'list', showOrigin: true },
      { flags: { json: true }, env: { LUMINA_BWLIMIT: '1K' } },
    )
    expect(JSON.parse(stdout.text)).toMatchObject({
      settings: {
        bwlimit: { value: 1024, from: 'env', where: 'LUMINA_BWLIMIT', written: '1K' },
        to: { value: null, from: 'default' },
      },
      projectFile: null,
    })
  })

  test('the value of a secret in the environment is not shown, even where somebody put it', async () => {
    const { stdout } = await ask(
      { do: 'list', showOrigin: false },
      { env: { SUPABASE_KEY: 'hunter2hunter2', LUMINA_PREFIX: 'hunter2hunter2' } },
    )
    expect(stdout.text).not.toContain('hunter2')
  })
})
