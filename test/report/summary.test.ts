import { expect, test } from 'vitest'

import { indexSummaryLines, summaryLines, verifySummaryLines } from '../../src/report/summary.ts'
import type { Style } from '../../src/report/style.ts'
import { indexSummary, summary, verifySummary } from './samples.ts'

const plain: Style = (_, text) => text
const lines = (...parameters: Parameters<typeof summary>): string =>
  summaryLines(summary(...parameters), named, plain).join('\n')
const named = [
  { path: '/card/a\u001b.jpg', what: 'permission denied (chmod it)' },
  { path: '/card/b.jpg', what: 'empty, 0 bytes' },
]

test('all of it', () => {
  expect(lines()).toMatchInlineSnapshot(`
    "5,120 found = 4,800 uploaded + 300 skipped + 20 failed, to ./library
      12.4 GB in 2 min 28 s, 83.8 MB/s, 3 retries
      skipped: 280 already there, 18 not a photo, 2 empty
      4 files are not what the name's extension says; -v names them
      12 files dated by the file system, since nothing inside tells when it was taken
      ✗ /card/a\\x1b.jpg: permission denied (chmod it)
      ✗ /card/b.jpg: empty, 0 bytes
      … 20 more: lumina status -v
    Not stored: 20 failed, 18 not a photo, 2 empty.
    Before you wipe the source, have every byte compared:
      lumina verify ~/Pictures --to ./library"
  `)
})

test('all stored', () => {
  const over = {
    found: 2,
    uploaded: 1,
    skipped: 1,
    failed: 0,
    skippedBy: { 'already-there': 1 },
    retries: 0,
    lyingExtensions: 0,
    datedByMtime: 0,
  }
  expect(summaryLines(summary(over), [], plain).join('\n')).toMatchInlineSnapshot(`
    "2 found = 1 uploaded + 1 skipped + 0 failed, to ./library
      12.4 GB in 2 min 28 s, 83.8 MB/s
      skipped: 1 already there
    All that was found is stored.
    Before you wipe the source, have every byte compared:
      lumina verify ~/Pictures --to ./library"
  `)
})

test('a dry run promises nothing and asks for no check', () => {
  expect(
    summaryLines(summary({ dryRun: true, failed: 0, retries: 0, skippedBy: { 'already-there': 300 } }), [], plain).join(
      '\n',
    ),
  ).toMatchInlineSnapshot(`
    "Dry run: nothing was touched.
    5,120 found = 4,800 to upload + 300 skipped + 0 failed, to ./library
      12.4 GB in 2 min 28 s
      skipped: 300 already there
      4 files are not what the name's extension says; -v names them
      12 files dated by the file system, since nothing inside tells when it was taken"
  `)
})

test.each([
  ['interrupted', 'Interrupted. The same command goes on where this one stopped.'],
  ['limit', 'A limit ended the run. The same command goes on where this one stopped.'],
  ['error', 'An error ended the run.'],
] as const)('ended by %s', (ended, first) => {
  const over = { ended, skippedBy: { interrupted: 300 } }
  expect(summaryLines(summary(over), [], plain)[0]).toBe(first)
  expect(lines(over)).toContain('Not stored: 20 failed, 300 interrupted.')
})

test('nothing found', () => {
  const over = {
    found: 0,
    uploaded: 0,
    skipped: 0,
    failed: 0,
    bytes: 0,
    skippedBy: {},
    retries: 0,
    lyingExtensions: 0,
    datedByMtime: 0,
  }
  expect(summaryLines(summary(over), [], plain).join('\n')).toMatchInlineSnapshot(`
    "0 found = 0 uploaded + 0 skipped + 0 failed, to ./library
      0 B in 2 min 28 s"
  `)
})

test('of many failures fifty are named', () => {
  const many = Array.from({ length: 80 }, (_, index) => ({ path: `${index}.jpg`, what: 'gone' }))
  const text = summaryLines(summary({ failed: 80, skippedBy: {} }), many, plain)
  expect(text.filter((line) => line.includes('✗'))).toHaveLength(50)
  expect(text).toContain('  … 30 more: lumina status -v')
})

test('verify: what is not stored, and that the source must stay', () => {
  expect(verifySummaryLines(verifySummary(), plain).join('\n')).toMatchInlineSnapshot(`
    "5,120 found = 5,100 stored + 20 not stored, at ./library
      12.4 GB in 2 min 28 s, 83.8 MB/s
      not stored: 1 never stored, 1 stored as another content, 18 not a photo
    NOT safe to wipe: not all of it is stored."
  `)
})

test('verify: safe to wipe', () => {
  const whole = { verified: 5120, notStored: 0, notStoredBy: {}, safeToWipe: true }
  expect(verifySummaryLines(verifySummary(whole), plain).at(-1)).toBe(
    'Safe to wipe: every byte that was found is stored.',
  )
  expect(verifySummaryLines(verifySummary({ ...whole, quick: true }), plain).at(-1)).toContain(
    'as far as the catalog knows',
  )
})

test.each([
  ['nothing found', { found: 0, verified: 0, notStored: 0, notStoredBy: {} }],
  ['interrupted', { notStored: 0, notStoredBy: {}, ended: 'interrupted' as const }],
])('verify: %s is not safe', (_, over) => {
  expect(verifySummaryLines(verifySummary(over), plain).at(-1)).toMatch(/^NOT safe to wipe/)
})

test('index', () => {
  expect(indexSummaryLines(indexSummary(), plain).join('\n')).toMatchInlineSnapshot(`
    "12 found = 9 taken into the catalog + 2 skipped + 1 failed, in ./library
      1.0 kB in 2.0 s, 500 B/s
      skipped: 2 not a photo"
  `)
})
