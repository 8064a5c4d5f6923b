import { expect, test } from 'vitest'

import { verifyLine } from '../../src/commands/verify-line.ts'

const plain = { to: './library', filesFrom: undefined, nul: false, allFiles: false, followSymlinks: false }

test('the verify line has the paths and the destination as they were given, ready for a shell', () => {
  expect(verifyLine(['~/Pictures', "Ana's card"], plain, '/home/ana/library')).toBe(
    String.raw`lumina verify ~/Pictures 'Ana'\''s card' --to ./library`,
  )
  expect(verifyLine(['-card'], plain, '/l')).toBe('lumina verify ./-card --to ./library')
})

test('the verify line without --to names where it went', () => {
  expect(verifyLine(['a'], { ...plain, to: undefined }, '/home/ana/library')).toBe(
    'lumina verify a --to /home/ana/library',
  )
})

test('the verify line looks at whatever the upload could have met', () => {
  const config = { ...plain, allFiles: true, followSymlinks: true }
  expect(verifyLine(['a'], config, '/l')).toBe('lumina verify a --all-files --follow-symlinks --to ./library')
  expect(verifyLine([], { ...plain, filesFrom: 'my list', nul: true }, '/l')).toBe(
    "lumina verify --files-from 'my list' -0 --to ./library",
  )
})
