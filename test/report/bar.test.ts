import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { barLine } from '../../src/report/bar-line.ts'
import { createBar } from '../../src/report/bar.ts'
import { createPacer } from '../../src/report/pace.ts'
import { widthOf } from '../../src/report/width.ts'
import { FakeOutput, screenOf } from './fake-io.ts'
import { progress } from './samples.ts'

const paceOf = createPacer()
paceOf(progress({ seconds: 28, uploadedBytes: 2_800_000_000 }))
const event = progress({ current: 'DCIM/100CANON/IMG_1234.CR3', retries: 2, failed: 1 })
const pace = paceOf(event)

test('the whole line', () => {
  expect(barLine(event, pace, 140)).toMatchInlineSnapshot(
    `"██████░░░░░░░░░░░░░░░░░░   25%  1,205/5,120 files  3.1 GB  100 MB/s  1 min 32 s left  1 failed  2 retries  DCIM/100CANON/IMG_1234.CR3"`,
  )
})

test('while the walk goes on, nothing is said of the end', () => {
  const line = barLine({ ...event, walked: false }, { ...pace, secondsLeft: undefined }, 140)
  expect(line).toContain('1,205/5,120+ files')
  expect(line).not.toMatch(/\d%|left/)
})

test('it never takes more columns than there are, and keeps what matters most', () => {
  for (let columns = 20; columns < 160; columns++) {
    const line = barLine({ ...event, current: '写真/'.repeat(30) }, pace, columns)
    if (columns >= 32) expect(widthOf(line)).toBeLessThanOrEqual(columns)
    expect(line).toContain('1,205/5,120 files')
  }
})

test('names cannot steer the terminal', () => {
  expect(barLine({ ...event, current: 'a\u001b[2J\u202e.jpg' }, pace, 160)).toContain('a\\x1b[2J\\u202e.jpg')
})

test('time left follows the bytes, with skipped files taken as the usual size', () => {
  const pacer = createPacer()
  pacer(
    progress({ seconds: 0, uploadedBytes: 0, inFlightBytes: 0, uploaded: 0, skipped: 0, found: 100, foundBytes: 1000 }),
  )
  const later = pacer(
    progress({
      seconds: 4,
      uploadedBytes: 100,
      inFlightBytes: 0,
      uploaded: 10,
      skipped: 30,
      found: 100,
      foundBytes: 1000,
    }),
  )
  expect(later).toEqual({ sentBytes: 100, bytesPerSecond: 25, secondsLeft: 6, share: 0.4 })
})

const shown = async (terminal: FakeOutput): Promise<void> => {
  for (let tries = 0; !terminal.text.includes('files') && tries < 100; tries++) await sleep(20)
}

test('lines stand above the bar, and in the end the terminal is as it was', async () => {
  const terminal = new FakeOutput({ isTTY: true, columns: 100 })
  const bar = createBar(terminal)
  bar.line('before')
  bar.progress(event)
  await shown(terminal)
  bar.line('✗ a.jpg: gone')
  await sleep(250)
  expect(screenOf(terminal.text).slice(0, 2)).toEqual(['before', '✗ a.jpg: gone'])
  expect(screenOf(terminal.text)[2]).toContain('1,205/5,120 files')
  bar.line('✗ b.jpg: gone')
  bar.end()
  bar.line('summary')
  expect(screenOf(terminal.text)).toEqual(['before', '✗ a.jpg: gone', '✗ b.jpg: gone', 'summary', ''])
  // Cursor and wrapping were never touched, so that even a kill -9 leaves them as they were.
  expect(terminal.text).not.toContain('\u001b[?')
  expect(terminal.listenerCount('resize')).toBe(0)
})

test('a run that is over at once shows no bar', async () => {
  const terminal = new FakeOutput({ isTTY: true })
  const bar = createBar(terminal)
  bar.progress(progress({ seconds: 0.1 }))
  bar.end()
  await sleep(150)
  expect(terminal.text).toBe('')
})

test('a bar that is still being loaded at the end does not appear after it', async () => {
  const terminal = new FakeOutput({ isTTY: true })
  const bar = createBar(terminal)
  bar.progress(event)
  bar.end()
  await sleep(300)
  expect(terminal.text).toBe('')
})

test('a narrower terminal gets a shorter line, and the rows of the wrapped one go', async () => {
  const terminal = new FakeOutput({ isTTY: true, columns: 120 })
  const bar = createBar(terminal)
  bar.progress(event)
  await shown(terminal)
  const before = terminal.text.length
  terminal.columns = 50
  terminal.emit('resize')
  const after = terminal.text.slice(before)
  expect(after).toMatch(/^\u001b\[2A\u001b\[1G\u001b\[0J/)
  expect(widthOf(screenOf(after).at(-1) ?? '')).toBeLessThan(50)
  bar.end()
})
