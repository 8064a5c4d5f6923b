import { expect, test } from 'vitest'

import { floor, run, satisfies } from '../../tools/runtime.mjs'

test.each([
  ['20.20.2', false],
  ['22.22.2', false],
  ['22.22.3', true],
  ['22.23.0', true],
  ['23.11.0', false],
  ['24.14.9', false],
  ['24.15.0', true],
  ['24.21.0', true],
  ['25.9.0', false],
  ['26.0.0', true],
  ['27.1.0-nightly2026', true],
])('Node %s is new enough: %s', (version, expected) => {
  expect(satisfies(version, floor())).toBe(expected)
})

test('an exit code is passed on', async () => {
  expect(await run(process.execPath, ['-e', 'process.exit(11)'])).toMatchObject({ code: 11 })
})

test.skipIf(process.platform === 'win32')('a signal that ended the program becomes 128 + its number', async () => {
  const { code } = await run(process.execPath, [
    '-e',
    'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1e3)',
  ])
  expect(code).toBe(143)
})
