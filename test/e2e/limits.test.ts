import { describe, expect, test } from 'vitest'

import { jpeg } from './contents.ts'
import { createScene } from './scene.ts'

describe('limits', () => {
  test('--max-transfer: exit 10, no more than that is sent, the rest is skipped as limit and follows', async () => {
    const scene = createScene()
    for (let at = 0; at < 40; at++) scene.add(`${at % 7}/${at}.jpg`, jpeg(at, 10_000))
    let uploaded = 0
    for (let run = 0; run < 3; run++) {
      const ran = await scene.upload(['--max-transfer', '100k'])
      expect(ran.code).toBe(10)
      expect(ran.summary.ended).toBe('limit')
      expect(ran.summary.bytes).toBeLessThanOrEqual(100_000)
      expect(ran.summary.uploaded).toBeGreaterThan(0)
      expect(new Set(Object.values(ran.outcomes))).toContain('limit')
      uploaded += ran.summary.uploaded
    }
    const last = await scene.upload()
    expect(last.summary.uploaded).toBe(40 - uploaded)
    expect((await scene.verify()).code).toBe(0)
  })

  test('--max-duration: exit 10, the rest is skipped as limit', async () => {
    const scene = createScene()
    for (let at = 0; at < 60; at++) scene.add(`${at % 7}/${at}.jpg`, jpeg(at, 50_000))
    const ran = await scene.upload(['--max-duration', '1s', '--bwlimit', '500k'])
    expect(ran.code).toBe(10)
    expect(ran.summary.ended).toBe('limit')
    expect(ran.summary.skippedBy.limit).toBeGreaterThan(0)
    expect((await scene.upload()).code).toBe(0)
  })

  test('--error-on-no-transfer: 9 when there was nothing new', async () => {
    const scene = createScene()
    scene.add('one.jpg', jpeg(1))
    expect((await scene.upload(['--error-on-no-transfer'])).code).toBe(0)
    expect((await scene.upload(['--error-on-no-transfer'])).code).toBe(9)
    expect((await scene.upload()).code).toBe(0)
  })
})

test('a reader that goes away ends the run in good order', async () => {
  const scene = createScene()
  for (let at = 0; at < 1500; at++) scene.add(`${at % 50}/${at}.jpg`, jpeg(at, 300))
  const ran = await scene.upload([], { closeStdoutAfter: 1 })
  // as a shell has it: 128 + SIGPIPE
  expect(ran.code).toBe(141)
  expect((await scene.upload()).code).toBe(0)
  expect((await scene.verify()).code).toBe(0)
})
