import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { type Config, type ConfigInput, loadConfig } from '../src/config.ts'
import { commandNames, settingNames, settingOf, variableOf } from '../src/config/settings.ts'
import { LuminaError } from '../src/errors.ts'

const nowMs = Date.UTC(2026, 10, 20, 12)
let root: string
let project: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-config-'))
  project = join(root, 'project')
  mkdirSync(join(project, 'sub', 'deep'), { recursive: true })
  mkdirSync(join(root, 'user'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const userFile = (): string => join(root, 'user', 'config.json')
const projectFile = (): string => join(project, 'lumina.config.json')
const writeJson = (path: string, value: unknown): void => writeFileSync(path, JSON.stringify(value))

function load(input: Partial<ConfigInput> = {}): Promise<Config> {
  const places = { userFile: userFile(), stateDir: join(root, 'state') }
  return loadConfig({ command: 'upload', flags: {}, env: {}, cwd: project, nowMs, places, ...input })
}

async function refusal(input: Partial<ConfigInput> = {}): Promise<LuminaError> {
  const error: unknown = await load(input).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof LuminaError)) throw new Error(`not refused: ${String(error)}`)
  return error
}

describe('precedence', () => {
  const everywhere = (): void => {
    writeJson(projectFile(), { retries: 3, prefix: 'project', layout: '{name}' })
    writeJson(userFile(), { retries: 4, prefix: 'user', layout: '{uuid}', wait: true })
  }

  test('flag > environment > project file > user file > default, each with its origin', async () => {
    everywhere()
    const config = await load({ flags: { retries: '1' }, env: { LUMINA_RETRIES: '2', LUMINA_PREFIX: 'env' } })
    expect(config).toMatchObject({ retries: 1, prefix: 'env', layout: '{name}', wait: true, onCollision: 'rename' })
    expect(config.origins.retries).toEqual({ from: 'flag', where: '--retries', written: '1' })
    expect(config.origins.prefix).toEqual({ from: 'env', where: 'LUMINA_PREFIX', written: 'env' })
    expect(config.origins.layout).toEqual({ from: 'project', where: projectFile(), written: '{name}' })
    expect(config.origins.wait).toEqual({ from: 'user', where: userFile(), written: true })
    expect(config.origins.onCollision).toEqual({ from: 'default' })
  })

  test('an empty variable is an unset one', async () => {
    everywhere()
    expect((await load({ env: { LUMINA_RETRIES: '' } })).retries).toBe(3)
  })

  test('a switch is turned off over what a file says', async () => {
    writeJson(userFile(), { wait: true, progress: false })
    const config = await load({ flags: { wait: false, progress: true } })
    expect(config).toMatchObject({ wait: false, progress: true })
  })

  test('`off` lifts a limit that a file sets', async () => {
    writeJson(userFile(), { bwlimit: '1M' })
    expect((await load()).bwlimit).toBe(1 << 20)
    expect((await load({ flags: { bwlimit: 'off' } })).bwlimit).toBeUndefined()
  })

  test('a list replaces the list below it', async () => {
    writeJson(userFile(), { exclude: ['*.tmp'] })
    expect((await load()).exclude).toEqual(['*.tmp'])
    expect((await load({ flags: { exclude: ['a,b', 'c'] } })).exclude).toEqual(['a,b', 'c'])
  })

  test('nothing anywhere gives the defaults, deeply frozen', async () => {
    const config = await load()
    expect(config).toMatchObject({ maxConcurrency: 16, resumableOver: 6 * 2 ** 20, stallTimeout: 30_000 })
    expect(config.origins.stallTimeout).toEqual({ from: 'default', written: '30s' })
    expect(config).toMatchObject({ retries: 3, progress: true, verbose: 0, include: [], state: join(root, 'state') })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.destinations)).toBe(true)
    expect(Object.isFrozen(config.origins)).toBe(true)
    writeJson(userFile(), { include: ['*.jpg'] })
    expect(Object.isFrozen((await load()).include)).toBe(true)
  })
})

describe('values', () => {
  const cases: [flag: string, text: string, value: unknown][] = [
    ['minSize', '0', 0],
    ['minSize', '500K', 512_000],
    ['minSize', '10M', 10 * 2 ** 20],
    ['minSize', '1.5GiB', 1.5 * 2 ** 30],
    ['minSize', '10MB', 10_000_000],
    ['bwlimit', '50Mbit', 6_250_000],
    ['bwlimit', '2MB/s', 2_000_000],
    ['maxDuration', '90s', 90_000],
    ['maxDuration', '1h30m', 5_400_000],
    ['maxDuration', '20', 20_000],
    ['since', '7d', nowMs - 7 * 86_400_000],
    ['since', '2026-01-31', new Date(2026, 0, 31).getTime()],
    ['until', '2026-01-31', new Date(2026, 1, 1).getTime() - 1],
    ['until', '2026-12', new Date(2027, 0, 1).getTime() - 1],
    ['until', '2026', new Date(2027, 0, 1).getTime() - 1],
    ['takenUntil', '2026-01-31T18:30Z', Date.UTC(2026, 0, 31, 18, 31) - 1],
    ['takenSince', '2026-01-31T18:30:05+02:00', Date.UTC(2026, 0, 31, 16, 30, 5)],
    ['concurrency', '4', 4],
    ['maxConcurrency', '32', 32],
    ['resumableOver', '10M', 10 * 2 ** 20],
    ['stallTimeout', '1m', 60_000],
    ['to', 'supabase://photos/2026', 'supabase://photos/2026'],
    ['catalog', 'postgres://me@db/photos', 'postgres://me@db/photos'],
    ['onCollision', 'skip', 'skip'],
    ['filesFrom', '-', '-'],
  ]
  test.each(cases)('%s %s', async (name, text, value) => {
    expect(await load({ flags: { [name]: text } })).toHaveProperty(name, value)
  })

  const refused: [name: string, text: string][] = [
    ['minSize', '5x'],
    ['minSize', '-5'],
    ['bwlimit', '0'],
    ['maxDuration', '5 parsecs'],
    ['maxDuration', '0'],
    ['since', 'yesterday'],
    ['since', '7'],
    ['until', '2026-02-31'],
    ['until', '2026-13'],
    ['retries', '1.5'],
    ['retries', '101'],
    ['concurrency', '0'],
    ['maxConcurrency', '0'],
    ['stallTimeout', '0'],
    ['catalog', 'mysql://db/photos'],
    ['catalog', 'postgres://me:hunter2@db/photos'],
    ['to', 'supabase://key@photos'],
    ['onCollision', 'overwrite'],
    ['to', ''],
    ['wait', 'maybe'],
  ]
  test.each(refused)('%s %s is refused, naming the flag', async (name, text) => {
    const error = await refusal({ flags: { [name]: text } })
    expect(error.code).toBe('usage')
    expect(error.message).toContain(`--${settingOf(name as 'to').flag}`)
    expect(error.hint).toContain('for example')
  })

  test('a variable takes several values, one a line or between commas, but braces hold together', async () => {
    expect((await load({ env: { LUMINA_INCLUDE: '*.{jpg,png}, *.CR3' } })).include).toEqual(['*.{jpg,png}', '*.CR3'])
    expect((await load({ env: { LUMINA_INCLUDE: 'a,b\nc' } })).include).toEqual(['a,b', 'c'])
  })

  test('paths are taken from where they are written', async () => {
    const config = await load({ flags: { logFile: 'run.log' }, env: { LUMINA_STATE: '~/here' } })
    expect(config.logFile).toBe(join(project, 'run.log'))
    expect(config.state).toBe(join(homedir(), 'here'))
    writeJson(userFile(), { state: 'state' })
    expect((await refusal()).message).toContain('relative')
  })

  test('a range that nothing can lie in is refused', async () => {
    expect((await refusal({ flags: { minSize: '2M', maxSize: '1M' } })).code).toBe('usage')
    expect((await refusal({ flags: { since: '2026-02', until: '2026-01' } })).code).toBe('usage')
  })
})

describe('variables', () => {
  test('every flag has its own', () => {
    for (const name of settingNames) expect(variableOf(settingOf(name).flag)).toMatch(/^LUMINA_[A-Z_]+$/)
  })

  test('LUMINA_NO_PROGRESS says what --no-progress says', async () => {
    expect((await load({ env: { LUMINA_NO_PROGRESS: '1' } })).progress).toBe(false)
    expect((await load({ env: { LUMINA_NO_PROGRESS: '0' } })).progress).toBe(true)
    expect((await load({ env: { LUMINA_PROGRESS: 'false' } })).progress).toBe(false)
  })

  test('a bad one is named', async () => {
    const error = await refusal({ env: { LUMINA_MAX_SIZE: 'huge' } })
    expect(error).toMatchObject({ code: 'config' })
    expect(error.message).toContain('LUMINA_MAX_SIZE')
  })

  test('a slip of one is told, a stranger is not', async () => {
    expect((await load({ env: { LUMINA_DRYRUN: '1' } })).notices).toEqual([
      'LUMINA_DRYRUN sets nothing; LUMINA_DRY_RUN does',
    ])
    expect((await load({ env: { LUMINA_DEBUG: '1', LUMINA_SOMETHING_ELSE: '1' } })).notices).toEqual([])
  })
})

describe('files', () => {
  const faults: [what: string, text: string, place: string][] = [
    ['a comma too many', '{\n  "retries": 3,\n}', ':3:1'],
    ['a bare word', '{"retries": three}', ':1:13'],
    ['a single quote', "{'retries': 3}", ':1:2'],
    ['a broken literal', '{"wait":\n tru}', ':2:2'],
    ['no end', '{"retries": 3', ':1:14'],
    ['nothing', '', ':1:1'],
    ['more after the end', '{} x', ':1:4'],
  ]
  test.each(faults)('%s: no JSON, with the place', async (_, text, place) => {
    writeFileSync(userFile(), text)
    const error = await refusal()
    expect(error.code).toBe('config')
    expect(error.message).toBe(`${userFile()}${place} is not JSON`)
    expect(error.hint).toBeDefined()
  })

  test('what a broken file holds is not quoted', async () => {
    writeFileSync(userFile(), '{"token": hunter2}')
    const error = await refusal()
    expect(`${error.message}${error.hint}`).not.toContain('hunter2')
  })

  test('a byte order mark does no harm', async () => {
    writeFileSync(userFile(), '\ufeff{"retries": 7}')
    expect((await load()).retries).toBe(7)
  })

  const wrong: [what: string, json: unknown, message: string][] = [
    ['an unknown key', { retrys: 3 }, 'there is no setting "retrys"'],
    ["an object's own word", { toString: 3 }, 'there is no setting "toString"'],
    ['another JSON type', { retries: [3] }, '"retries" is neither a number'],
    ['a switch as text', { wait: 'yes' }, '"wait" is neither true nor false'],
    ['a value out of bounds', { retries: 999 }, '"999" is not between 0 and 100'],
    ['an array', [1], 'holds no object'],
    ['a name that is a path', { destinations: { 'a/b': '/x' } }, 'has a name that is not made of'],
    ['a setting for one run', { dryRun: true }, 'holds for one run'],
  ]
  test.each(wrong)('%s is refused, naming file and place', async (_, json, message) => {
    writeFileSync(userFile(), JSON.stringify(json, undefined, 2))
    const error = await refusal()
    expect(error.code).toBe('config')
    expect(error.message).toContain(userFile())
    expect(error.message).toContain(message)
    if (!Array.isArray(json)) expect(error.message).toMatch(/config\.json:2:3: /)
  })

  test('an unknown key comes with what was probably meant', async () => {
    writeJson(userFile(), { retrys: 3 })
    expect((await refusal()).hint).toBe('did you mean "retries"?')
  })

  test('a folder in place of the file is one clear line', async () => {
    mkdirSync(userFile())
    expect(await refusal()).toMatchObject({ code: 'config' })
  })

  test('the project file is looked for upwards, as far as the git checkout goes', async () => {
    writeJson(projectFile(), { retries: 9 })
    const deep = join(project, 'sub', 'deep')
    expect((await load({ cwd: deep })).projectFile).toBe(projectFile())
    mkdirSync(join(project, 'sub', '.git'))
    expect((await load({ cwd: deep })).projectFile).toBeUndefined()
  })
})

describe("a project's file comes from anyone", () => {
  test.runIf(process.getuid?.() === 0)('one that belongs to another user is ignored, and that is told', async () => {
    writeJson(projectFile(), { retries: 9 })
    chownSync(projectFile(), 12_345, 12_345)
    const config = await load()
    expect(config).toMatchObject({ retries: 3, projectFile: undefined })
    expect(config.notices).toEqual([`${projectFile()} is ignored: it belongs to another user`])
  })

  const forbidden: [key: string, value: unknown][] = [
    ['state', '/tmp/x'],
    ['logFile', '/tmp/x'],
    ['excludeFrom', ['/etc/passwd']],
    ['followSymlinks', true],
    ['allFiles', true],
    ['quiet', true],
    ['destinations', { nas: 's3://theirs' }],
    ['newLibrary', true],
    ['filesFrom', '/etc/passwd'],
    ['dryRun', true],
  ]
  test.each(forbidden)('it may not set %s', async (key, value) => {
    writeJson(projectFile(), { [key]: value })
    const error = await refusal()
    expect(error.code).toBe('config')
    expect(error.message).toContain(`"${key}"`)
  })

  test('every setting has been judged: what it may set is this and no more', () => {
    expect(settingNames.filter((name) => settingOf(name).scope === 'any').toSorted()).toMatchInlineSnapshot(`
      [
        "bwlimit",
        "concurrency",
        "errorOnNoTransfer",
        "exclude",
        "include",
        "layout",
        "maxConcurrency",
        "maxDuration",
        "maxSize",
        "maxTransfer",
        "minSize",
        "onCollision",
        "prefix",
        "progress",
        "rehash",
        "resumableOver",
        "retries",
        "since",
        "stallTimeout",
        "takenSince",
        "takenUntil",
        "to",
        "until",
        "verbose",
        "wait",
      ]
    `)
  })

  test('it may send photos into its own folder', async () => {
    writeJson(projectFile(), { to: './library' })
    expect((await load({ cwd: join(project, 'sub') })).to).toBe(join(project, 'library'))
  })

  const elsewhere = [
    's3://theirs/x',
    'https://theirs.example',
    '/var/tmp/theirs',
    '../theirs',
    'file:///tmp/theirs',
    'nas',
    'link/x',
  ]
  test.each(elsewhere)('it may not send them to %s', async (to) => {
    symlinkSync(root, join(project, 'link'), 'junction')
    writeJson(projectFile(), { to })
    expect(await refusal()).toMatchObject({ code: 'config', hint: expect.stringContaining('destinations.') as string })
  })

  test('it may name what the user has named', async () => {
    writeJson(userFile(), { destinations: { nas: 's3://mine/photos' } })
    writeJson(projectFile(), { to: 'nas' })
    expect((await load()).to).toBe('nas')
    writeJson(projectFile(), { to: 's3://mine/photos' })
    expect((await load()).to).toBe('s3://mine/photos')
  })

  test('for verify, no file narrows what is looked at', async () => {
    writeJson(projectFile(), { exclude: ['*.CR3'], minSize: '1G', to: './library' })
    writeJson(userFile(), { include: ['*.png'] })
    expect(await load({ command: 'verify' })).toMatchObject({ exclude: [], include: [], minSize: undefined })
    expect((await load({ command: 'verify', flags: { exclude: ['a'] } })).exclude).toEqual(['a'])
    expect(await load()).toMatchObject({ exclude: ['*.CR3'], include: ['*.png'] })
  })
})

describe('secrets', () => {
  test('of services are in no setting, no origin and no notice', async () => {
    const env = {
      LUMINA_CATALOG: 'postgres://me:hunter2@db/photos',
      SUPABASE_KEY: 'hunter2',
      SUPABASE_URL: 'https://ref.supabase.co',
    }
    const { services, ...config } = await load({ env })
    expect(services.catalog).toBe(env.LUMINA_CATALOG)
    expect(services.supabase.key).toBe('hunter2')
    expect(JSON.stringify(config)).not.toContain('hunter2')
  })

  test('a catalog is named in no file, and its variable may be a file of its own', async () => {
    writeJson(userFile(), { catalog: 'postgres://db/photos' })
    expect((await refusal()).message).toContain('"catalog" holds for one run')
    rmSync(userFile())
    expect((await load({ env: { LUMINA_CATALOG_FILE: join(root, 'none') } })).notices).toEqual([])
  })

  const urls = [
    's3://user:hunter2@bucket/x',
    'https://hunter2@host',
    's3://AKIA:hun/ter2@bucket',
    'https://host/x?token=hunter2',
  ]
  test.each(urls)('%s is refused wherever it stands, and never echoed', async (url) => {
    writeJson(userFile(), { destinations: { nas: url } })
    const inNames = await refusal()
    writeJson(userFile(), { to: url })
    const inFile = await refusal()
    rmSync(userFile())
    const inVariable = await refusal({ env: { LUMINA_TO: url } })
    for (const error of [inNames, inFile, inVariable]) {
      expect(error.code).toBe('config')
      expect(`${error.message} ${error.hint}`).not.toMatch(/hunter2|hun\/ter2|AKIA/)
    }
  })

  test.each(['https://host:8443/me@home', 's3://bucket/photos@home', './a@b', '/x/y?key', 'https://host/a?keys=1'])(
    '%s holds none',
    async (url) => {
      expect((await load({ flags: { to: url } })).to).toBe(url)
    },
  )
})

test('every setting belongs to a command', () => {
  for (const name of settingNames) {
    expect(settingOf(name).commands.length).toBeGreaterThan(0)
    for (const command of settingOf(name).commands) expect(commandNames).toContain(command)
  }
})
