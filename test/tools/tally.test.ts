import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { execa } from 'execa'
import { expect, test } from 'vitest'

const counts = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }

async function tally(report: object | undefined): Promise<{ stdout: string; exitCode: number | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-tally-'))
  const path = join(folder, 'report.json')
  if (report) writeFileSync(path, JSON.stringify(report))
  const { stdout, exitCode } = await execa(process.execPath, ['tools/tally.mjs', path], { reject: false })
  rmSync(folder, { recursive: true })
  return { stdout, exitCode }
}

test.each([
  ['all passed', {}, '3 passed, 0 failed', 0],
  ['some skipped', { numPendingTests: 2, numTodoTests: 1 }, '3 passed, 0 failed, 3 skipped', 0],
  ['one failed', { numFailedTests: 1 }, '3 passed, 1 failed', 1],
  ['none ran', { numPassedTests: 0 }, '0 passed, 0 failed', 1],
  [
    'a file could not be loaded',
    { testResults: [{ status: 'failed', assertionResults: [] }] },
    '3 passed, 1 failed',
    1,
  ],
])('%s', async (_, report, stdout, exitCode) => {
  expect(await tally({ ...counts, ...report })).toEqual({ stdout, exitCode })
})

test('without a report it is red', async () => {
  expect(await tally(undefined)).toEqual({ stdout: '0 passed, 0 failed', exitCode: 1 })
})
