import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { settingNames, settingOf } from '../../src/config/settings.ts'

const text = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')
const rows = new Map(
  [...text.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)].map(([, name, rest]) => [
    name ?? '',
    (rest ?? '').split('|').map((cell) => cell.trim()),
  ]),
)

test('docs/settings.md has every setting and no other', () => {
  expect([...rows.keys()]).toEqual([...settingNames, 'destinations'])
})

test.each(settingNames)('%s: flag, default and where it may be set', (name) => {
  const { flag, short, scope, default: value, written } = settingOf(name)
  const [flags, told, inUser, inProject] = rows.get(name) ?? []
  expect(flags).toBe(`${short === undefined ? '' : `\`-${short}\`, `}\`--${value === true ? 'no-' : ''}${flag}\``)
  expect(inUser).toBe(scope === 'run' ? 'no' : 'yes')
  if (name !== 'to') expect(inProject).toBe(scope === 'any' ? 'yes' : 'no')
  if (value !== undefined && !Array.isArray(value))
    expect(told).toBe(`\`${written ?? JSON.stringify(value).replaceAll('"', '')}\``)
})
