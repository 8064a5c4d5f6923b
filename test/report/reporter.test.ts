import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, describe, expect, test } from 'vitest'

import { LuminaError } from '../../src/errors.ts'
import { reporterFor, type ReporterConfig } from '../../src/report/reporter.ts'
import { fakeIo, type FakeIo } from './fake-io.ts'
import { everyEvent, progress, summary } from './samples.ts'

const config = (over: Partial<ReporterConfig> = {}): ReporterConfig => ({
  json: false,
  quiet: false,
  verbose: 0,
  progress: true,
  logFile: undefined,
  ...over,
})

function tellAll(over: Partial<ReporterConfig>, io: FakeIo = fakeIo()): FakeIo {
  const reporter = reporterFor(config(over), io)
  for (const event of everyEvent) reporter.event(event)
  reporter.close()
  return io
}

const folder = mkdtempSync(join(tmpdir(), 'lumina-report-'))
afterEach(() => rmSync(join(folder, 'run.log'), { force: true }))

describe('who hears what', () => {
  test('people on stderr, and nothing on stdout', () => {
    const { stdout, stderr } = tellAll({})
    expect(stdout.text).toBe('')
    expect(stderr.text).toContain('✗ DCIM/IMG_1.jpg: permission denied (chmod it)')
    expect(stderr.text).toContain('5,120 found = 4,800 uploaded + 300 skipped + 20 failed')
  })

  test('--json: events on stdout and nothing else there; people still read on stderr', () => {
    const { stdout, stderr } = tellAll({ json: true })
    expect(stdout.lines).toHaveLength(everyEvent.length)
    expect(stderr.text).toContain('5,120 found')
  })

  test('-q: failures and nothing else', () => {
    expect(tellAll({ quiet: true, verbose: 2 }).stderr.lines).toEqual([
      '✗ DCIM/IMG_1.jpg: permission denied (chmod it)',
      '✗ DCIM/IMG_1.jpg: stored as another content (DCIM/IMG_1.jpg): its last byte differs',
    ])
  })

  test('-v: a line a file; -vv: a line a step', () => {
    expect(tellAll({ verbose: 1 }).stderr.lines.slice(0, 6)).toMatchInlineSnapshot(`
      [
        "! DCIM/IMG_1.jpg is image/heic, though its name says image/jpeg",
        "- DCIM/IMG_1.jpg: already there as DCIM/IMG_1.jpg",
        "✓ DCIM/IMG_1.jpg → DCIM/IMG_1.jpg (7 B)",
        "✗ DCIM/IMG_1.jpg: permission denied (chmod it)",
        "↻ DCIM/IMG_1.jpg: busy; try 2 in 1.5 s",
        "! this file system knows no links",
      ]
    `)
    expect(tellAll({ verbose: 2 }).stderr.text).toContain(`DCIM/IMG_1.jpg: sha256 ${'ab'.repeat(32)}`)
  })

  test('each file is asked for only by those who name each file', () => {
    const wants = (over: Partial<ReporterConfig>): string => {
      const reporter = reporterFor(config(over), fakeIo())
      reporter.close()
      return reporter.wants
    }
    expect([wants({}), wants({ quiet: true })]).toEqual(['totals', 'totals'])
    expect([wants({ verbose: 1 }), wants({ json: true }), wants({ logFile: join(folder, 'run.log') })]).toEqual([
      'each',
      'each',
      'each',
    ])
  })

  test('empty files are named in the summary although no line is', () => {
    const io = fakeIo()
    const reporter = reporterFor(config(), io)
    reporter.event({ event: 'skipped', path: 'empty.jpg', bytes: 0, reason: 'empty' })
    expect(io.stderr.text).toBe('')
    reporter.event(summary({ failed: 0, skippedBy: { empty: 1 } }))
    expect(io.stderr.text).toContain('✗ empty.jpg: empty, 0 bytes')
  })
})

describe('without a terminal', () => {
  test('a line every 10 s', () => {
    const io = fakeIo()
    const reporter = reporterFor(config(), io)
    for (let tenth = 0; tenth <= 250; tenth++)
      reporter.event(progress({ seconds: tenth / 10, walked: tenth > 150, retries: tenth > 150 ? 1 : 0 }))
    expect(io.stderr.lines).toEqual([
      '1,204 of 5,120+ files, 3.1 GB, 310 MB/s',
      '1,204 of 5,120 files, 3.1 GB, 155 MB/s, 1 retry',
    ])
  })

  test('--no-progress: none', () => {
    const io = fakeIo()
    reporterFor(config({ progress: false }), io).event(progress({ seconds: 60 }))
    expect(io.stderr.text).toBe('')
  })
})

describe('colours', () => {
  const isColoured = (io: FakeIo): boolean => tellAll({}, io).stderr.text.includes('\u001b[3')
  test('a terminal has them, anything else has none', () => {
    expect(isColoured(fakeIo({ stderrTty: true }))).toBe(true)
    expect(isColoured(fakeIo())).toBe(false)
    expect(isColoured(fakeIo({ stderrTty: true, env: { TERM: 'dumb' } }))).toBe(false)
  })
  test('NO_COLOR and FORCE_COLOR hold', () => {
    expect(isColoured(fakeIo({ stderrTty: true, env: { NO_COLOR: '1' } }))).toBe(false)
    expect(isColoured(fakeIo({ env: { FORCE_COLOR: '1' } }))).toBe(true)
    expect(isColoured(fakeIo({ stderrTty: true, env: { FORCE_COLOR: '0' } }))).toBe(false)
  })
})

describe('--log-file', () => {
  const path = join(folder, 'run.log')
  const log = (): { at: string; event: string }[] =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { at: string; event: string })

  test('has every event with its time, and grows from run to run', () => {
    tellAll({ logFile: path, quiet: true })
    tellAll({ logFile: path, quiet: true })
    expect(log().map(({ event }) => event)).toEqual([...everyEvent, ...everyEvent].map(({ event }) => event))
    expect(log()[0]).toMatchObject({ v: 1, at: '2026-11-20T12:00:00.000Z' })
  })

  test.skipIf(process.platform === 'win32')('is for its owner alone', () => {
    tellAll({ logFile: path })
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('that cannot be opened ends the run before it begins', () => {
    expect(() => reporterFor(config({ logFile: join(folder, 'none', 'run.log') }), fakeIo())).toThrow(LuminaError)
  })

  test.skipIf(process.platform !== 'linux')('on a full disk is given up with one notice, and the run goes on', () => {
    const io = tellAll({ logFile: '/dev/full' })
    expect(io.stderr.text.match(/cannot be written any more/g)).toHaveLength(1)
  })
})
