import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, expect, onTestFinished, test } from 'vitest'

import { status } from '../../src/commands/status.ts'
import { loadConfig } from '../../src/config.ts'
import type { Flags } from '../../src/config/layers.ts'
import { Ledger } from '../../src/state/ledger.ts'
import { fakeIo, type FakeIo } from '../report/fake-io.ts'
import { summary } from '../report/samples.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-status-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
})

async function ask(flags: Flags = {}): Promise<FakeIo & { code: number }> {
  const io = fakeIo({ cwd: root })
  const places = { userFile: join(root, 'config.json'), stateDir: join(root, 'state') }
  const config = await loadConfig({ command: 'status', flags, env: {}, cwd: root, nowMs: 0, places })
  return Object.assign(io, { code: await status(config, io) })
}

const begunMs = new Date(2026, 10, 20, 12).getTime()

function remember(): void {
  const ledger = new Ledger(join(root, 'state'))
  const first = ledger.beginRun('upload', '/card', 'file:///library', begunMs)
  const failures = [{ path: '/card/1\u001b.jpg', code: 'unreadable' as const, message: 'permission denied' }]
  ledger.endRun(first, 1, summary(), failures, begunMs + 148_000)
  ledger.beginRun('upload', '/other', 's3://bucket/x', begunMs + 3_600_000)
  ledger.begin(
    '/card/big.mov',
    'file:///library',
    { bytes: 10_400_000_000, mtimeUs: 1, ctimeUs: 1, inode: 1 },
    { temp: 't' },
    begunMs,
  )
  ledger.close()
}

test('before the first run it says so, and makes no state', async () => {
  expect(await ask()).toMatchObject({ code: 0 })
  expect((await ask()).stdout.text).toBe('No run yet on this machine.\n')
  expect(() => rmSync(join(root, 'state'))).toThrow()
})

test.skipIf(process.platform === 'win32')(
  'runs, newest first, with what became of them; what would resume',
  async () => {
    remember()
    expect((await ask()).stdout.text).toMatchInlineSnapshot(`
      "2026-11-20 13:00  upload /other → s3://bucket/x
          under way, or killed
      2026-11-20 12:00  upload /card → /library
          exit 1: 5,120 found = 4,800 uploaded + 300 skipped + 20 failed, 12.4 GB in 2 min 28 s
      Failed in the run of 2026-11-20 12:00:
        ✗ /card/1\\x1b.jpg: permission denied
      1 begun transfer would go on where the destination says it stopped:
        … /card/big.mov → /library (10.4 GB, begun 2026-11-20 12:00)
      "
    `)
  },
)

test('failures of the last run are named up to fifty, with -v all of all runs', async () => {
  remember()
  const ledger = new Ledger(join(root, 'state'))
  const last = ledger.beginRun('upload', '/card', 'file:///library', begunMs + 7_200_000)
  ledger.endRun(
    last,
    1,
    undefined,
    Array.from({ length: 60 }, (_, index) => ({ path: `${index}.png`, code: 'io' as const, message: 'gone' })),
    begunMs + 7_201_000,
  )
  ledger.close()
  const named = (text: string): number => text.match(/✗/g)?.length ?? 0
  const { stdout } = await ask()
  expect(named(stdout.text)).toBe(50)
  expect(stdout.text).toContain('… 10 more: lumina status -v')
  expect(named((await ask({ verbose: 1 })).stdout.text)).toBe(61)
})

test('a run that did not come to its end is not called done, whatever its exit code', async () => {
  const ledger = new Ledger(join(root, 'state'))
  ledger.endRun(
    ledger.beginRun('upload', '/card', 'file:///library', begunMs),
    0,
    summary({ ended: 'interrupted' }),
    [],
    begunMs + 1000,
  )
  ledger.close()
  expect((await ask()).stdout.text).toContain('    interrupted: 5,120 found')
})

test('--json has all of it, on one line', async () => {
  remember()
  const { stdout } = await ask({ json: true })
  expect(stdout.lines).toHaveLength(1)
  expect(stdout.text).not.toContain('\u001b')
  const { runs, resumable } = JSON.parse(stdout.text) as { runs: { failures: unknown[] }[]; resumable: unknown[] }
  expect(runs[0]).toEqual({
    id: 2,
    command: 'upload',
    source: '/other',
    destination: 's3://bucket/x',
    begun: new Date(begunMs + 3_600_000).toISOString(),
    failures: [],
  })
  expect(runs[1]).toMatchObject({
    exitCode: 1,
    ended: new Date(begunMs + 148_000).toISOString(),
    summary: { found: 5120 },
  })
  expect(runs[1]?.failures).toHaveLength(1)
  expect(resumable).toMatchObject([{ path: '/card/big.mov', bytes: 10_400_000_000 }])
})
