import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { catalogIdAt, holdPlace, leavePlace, openPlace, localTarget, type LocalPlace } from '../../src/client/open.ts'
import { doctor } from '../../src/commands/doctor.ts'
import { checkClock, checkFileClock } from '../../src/commands/doctor/clock.ts'
import type { Finding } from '../../src/commands/doctor/finding.ts'
import { leftovers, sweep } from '../../src/commands/doctor/temps.ts'
import { checkVersions } from '../../src/commands/doctor/versions.ts'
import { loadConfig } from '../../src/config.ts'
import type { Flags } from '../../src/config/layers.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { fakeIo } from '../report/fake-io.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-doctor-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
})
const library = (): string => join(root, 'library')
const state = (): string => join(root, 'state')

interface Asked {
  code: number
  text: string
  findings: Finding[]
  /** The findings of one look, as `level: message`. */
  of(check: string): string[]
}

async function ask(flags: Flags = {}, env: NodeJS.ProcessEnv = { LANG: 'C.UTF-8' }): Promise<Asked> {
  const run = async (more: Flags): Promise<{ code: number; text: string }> => {
    const io = fakeIo({ cwd: root, env, nowMs: Date.now() })
    const places = { userFile: join(root, 'config.json'), stateDir: state() }
    const config = await loadConfig({
      command: 'doctor',
      flags: { ...flags, ...more },
      env,
      cwd: root,
      nowMs: io.now(),
      places,
    })
    const code = await doctor(config, io)
    return { code, text: io.stdout.text }
  }
  const { code, text } = await run({ json: true })
  const { findings } = JSON.parse(text) as { findings: Finding[] }
  const of = (check: string): string[] =>
    findings.filter((each) => each.check === check).map(({ level, message }) => `${level}: ${message}`)
  return { code, text: (await run({ sweep: false })).text, findings, of }
}

function makeLibrary(): LocalPlace {
  mkdirSync(library())
  return openPlace(localTarget(library()), { holder: 'a-run', layers: { retries: 0 }, stateDir: root })
}

test('a machine on which all is well: ✓ lines, and exit 0', async () => {
  makeLibrary()
  const { code, text, of } = await ask({ to: library() })
  expect(code).toBe(0)
  expect(text).toContain(`✓ Node ${process.versions.node}\n`)
  expect(text.trimEnd().split('\n').at(-1)).toBe('All is well.')
  expect(of('destination')[0]).toContain(`ok: ${library()}: library, writable`)
  expect(of('space')).toHaveLength(1)
})

test('it leaves nothing behind', async () => {
  makeLibrary()
  mkdirSync(state())
  const before = [readdirSync(join(library(), '.lumina')), readdirSync(library()), readdirSync(root)]
  await ask({ to: library() })
  expect([readdirSync(join(library(), '.lumina')), readdirSync(library()), readdirSync(root)]).toEqual(before)
  expect(readdirSync(state())).toEqual([])
})

test('a problem is told with what to do, and exits 1; -q tells nothing else', async () => {
  writeFileSync(library(), '')
  const { code, text } = await ask({ to: library(), quiet: true })
  expect(code).toBe(1)
  expect(text).toBe(`✗ ${library()} is no folder\n    name a folder\n`)
})

describe('destination', () => {
  test('none is a note', async () => {
    const { code, of } = await ask()
    expect(code).toBe(0)
    expect(of('destination')).toEqual(['note: nothing says where to upload to'])
  })

  test('one that is not there yet is made by the first upload', async () => {
    expect((await ask({ to: library() })).of('destination')).toEqual([
      `ok: ${library()} is not there yet; the first upload makes it`,
    ])
  })

  test('one of an unknown kind, and a name that nobody gave, are problems', async () => {
    expect((await ask({ to: 'gopher://x' })).code).toBe(1)
    expect((await ask({ to: 'nas' })).of('destination')).toEqual(['problem: no destination is named "nas"'])
  })

  test('a library that is not the one remembered is a disk that is not mounted', async () => {
    const { target } = makeLibrary()
    const ledger = new Ledger(state())
    ledger.place(target.url, { id: catalogIdAt(target) ?? '', epoch: 1 }, Date.now())
    ledger.close()
    expect((await ask({ to: library() })).of('library')).toEqual([])
    rmSync(join(library(), '.lumina'), { recursive: true })
    const { code, findings } = await ask({ to: library() })
    expect(code).toBe(1)
    expect(findings.find(({ check }) => check === 'library')).toMatchObject({
      level: 'problem',
      hint: expect.stringContaining('mounted') as string,
    })
  })

  test.skipIf(process.platform !== 'linux')('one that takes no files is a problem', async () => {
    const { code, of } = await ask({ to: '/sys' })
    expect(code).toBe(1)
    expect(of('destination')[0]).toMatch(/^problem: \/sys cannot be written: E/)
  })
})

describe('temporary files', () => {
  const temps = (): string => join(library(), '.lumina', 'tmp', 'a-run')

  test('of a run that ended early are told, and removed only by --sweep', async () => {
    makeLibrary()
    writeFileSync(join(temps(), '0-1'), 'x'.repeat(2000))
    expect((await ask({ to: library() })).of('temps')).toEqual([
      'note: 1 temporary file (2.0 kB) of runs that ended early',
    ])
    expect(readdirSync(temps())).toEqual(['0-1'])
    expect((await ask({ to: library(), sweep: true })).of('temps')).toEqual(['ok: 1 temporary file (2.0 kB) removed'])
    expect(readdirSync(join(library(), '.lumina', 'tmp'))).toEqual([])
  })

  test('of a run that lives are never touched', async () => {
    const place = makeLibrary()
    const hold = holdPlace(place)
    writeFileSync(join(temps(), '0-1'), 'x')
    expect((await ask({ to: library(), sweep: true })).of('temps')).toEqual(['ok: 1 run under way there'])
    expect(readdirSync(temps())).toContain('0-1')
    rmSync(join(temps(), '0-1'))
    leavePlace(place, hold)
  })

  test('of a run that begins meanwhile are not touched either', () => {
    const place = makeLibrary()
    writeFileSync(join(temps(), '0-1'), 'x')
    const loose = leftovers(library())
    const hold = holdPlace(place)
    expect(loose.map(({ held }) => held)).toEqual([false])
    expect(sweep(loose)).toEqual([])
    expect(readdirSync(temps())).toContain('0-1')
    hold.release()
  })
})

describe('this machine', () => {
  test('versions below the floor are problems', () => {
    const levels = (node: string, sqlite: string | undefined): string[] =>
      checkVersions({ ...process.versions, node, sqlite }).map(({ level }) => level)
    expect(levels('22.22.3', '3.51.3')).toEqual(['ok', 'ok'])
    expect(levels('27.0.0', '3.52.0')).toEqual(['ok', 'ok'])
    expect(levels('22.22.2', '3.51.2')).toEqual(['problem', 'problem'])
    expect(levels('24.9.0', '3.9.9')).toEqual(['problem', 'problem'])
    expect(levels('25.1.0', undefined)).toEqual(['problem', 'problem'])
  })

  test('a clock that cannot be right is a problem', () => {
    const now = Date.UTC(2026, 10, 20)
    expect(checkClock(now, undefined).level).toBe('ok')
    expect(checkClock(now, now + 1000).level).toBe('ok')
    expect(checkClock(now, now + 3_600_000)).toMatchObject({
      level: 'problem',
      message: expect.stringContaining('1 h 0 min before') as string,
    })
    expect(checkClock(0, undefined).level).toBe('problem')
    expect(checkFileClock(now, now + 2000)).toEqual([])
    expect(checkFileClock(now, now - 120_000)[0]?.level).toBe('note')
  })

  test('the state folder is not made, and one that cannot be is a problem', async () => {
    expect((await ask()).of('state')[0]).toContain('not made yet')
    expect(() => readdirSync(state())).toThrow()
    writeFileSync(state(), '')
    expect((await ask()).of('state')[0]).toMatch(/^problem: /)
  })

  test('a damaged ledger is told', async () => {
    mkdirSync(state())
    writeFileSync(join(state(), 'ledger.db'), 'no database at all, but long enough to be looked at as one')
    expect((await ask()).of('ledger')[0]).toMatch(/^note: the ledger was damaged and is set aside as /)
  })

  test('settings that are odd, and a locale without UTF-8, are notes', async () => {
    const { of } = await ask({}, { LANG: 'C', LUMINA_DRYRUN: '1' })
    expect(of('config')).toContain('note: LUMINA_DRYRUN sets nothing; LUMINA_DRY_RUN does')
    if (process.platform === 'linux') expect(of('terminal')[1]).toMatch(/^note: the locale C /)
  })
})
