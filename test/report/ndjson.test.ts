import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { createNdjsonReporter } from '../../src/report/ndjson.ts'
import { FakeOutput } from './fake-io.ts'
import { everyEvent, progress } from './samples.ts'

test('every event is one line with its version and its fields', () => {
  const stdout = new FakeOutput()
  const reporter = createNdjsonReporter(stdout)
  for (const event of everyEvent) reporter.event(event)
  reporter.close()
  expect(stdout.lines.map((line) => JSON.parse(line) as unknown)).toEqual(
    everyEvent.map((event) => ({ v: 1, ...event })),
  )
  expect(stdout.text).toMatch(/^\{"v":1,"event":"found",/)
})

test('names of any bytes make lines that are valid UTF-8 and JSON, and steer no terminal', () => {
  const stdout = new FakeOutput()
  const reporter = createNdjsonReporter(stdout)
  const path = 'a\udcff\ud800\n\u202e\u009b31m"\\.jpg'
  reporter.event({ event: 'found', path, bytes: 1, kind: 'image/jpeg' })
  reporter.close()
  expect(stdout.lines).toHaveLength(1)
  expect(Buffer.from(stdout.text).toString()).toBe(stdout.text)
  expect(stdout.text).not.toMatch(/[\u202e\u009b]/)
  expect(JSON.parse(stdout.text)).toMatchObject({ path })
})

test('lines of one turn leave in few writes, and before the turn is long over', async () => {
  const stdout = new FakeOutput()
  const reporter = createNdjsonReporter(stdout)
  reporter.event({ event: 'hashed', path: 'a', digest: 'd' })
  expect(stdout.text).toBe('')
  await turn()
  expect(stdout.lines).toHaveLength(1)
})

test('progress comes at most once a second', () => {
  const stdout = new FakeOutput()
  const reporter = createNdjsonReporter(stdout)
  for (let tenth = 0; tenth <= 30; tenth++) reporter.event(progress({ seconds: tenth / 10 }))
  reporter.close()
  expect(stdout.lines.map((line) => (JSON.parse(line) as { seconds: number }).seconds)).toEqual([0, 1, 2, 3])
})

test('a reader that is behind makes the run wait until it has caught up', async () => {
  const taken: (() => void)[] = []
  const slow = new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) })
  const reporter = createNdjsonReporter(slow)
  expect(reporter.drained()).toBeUndefined()
  for (let line = 0; line < 3000; line++) reporter.event({ event: 'hashed', path: 'x'.repeat(1000), digest: 'd' })
  let isDrained = false
  const wait = reporter.drained()?.then(() => (isDrained = true))
  expect(wait).toBeDefined()
  await turn()
  expect(isDrained).toBe(false)
  while (slow.writableLength > 0) {
    taken.shift()?.()
    await turn()
  }
  await wait
  expect(reporter.drained()).toBeUndefined()
})

test('after the reader went away, events are let go and nobody waits', async () => {
  const gone = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  })
  gone.on('error', () => {})
  const reporter = createNdjsonReporter(gone)
  for (let line = 0; line < 5000; line++) reporter.event({ event: 'hashed', path: 'x'.repeat(1000), digest: 'd' })
  await turn()
  for (let line = 0; line < 5000; line++) reporter.event({ event: 'hashed', path: 'x'.repeat(1000), digest: 'd' })
  reporter.close()
  expect(reporter.drained()).toBeUndefined()
})
