import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { beforeEach, expect, onTestFinished, test } from 'vitest'

import { destinationOf } from '../../src/commands/destination-of.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import type { Flags } from '../../src/config/layers.ts'
import { fakeIo, type FakeIo } from '../report/fake-io.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-to-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
})
const userFile = (): string => join(root, 'user', 'config.json')

async function configOf(flags: Flags = {}, destinations: Record<string, string> = {}): Promise<Config> {
  const places = { userFile: userFile(), stateDir: join(root, 'state') }
  const config = await loadConfig({ command: 'upload', flags, env: {}, cwd: root, nowMs: 0, places })
  return { ...config, destinations }
}

const terminal = (): FakeIo => fakeIo({ cwd: root, stdinTty: true, stderrTty: true })

test('a path and a URL stay as they are, a name is resolved', async () => {
  const nas = { nas: 's3://bucket/x' }
  expect(await destinationOf(await configOf({ to: './library' }, nas), fakeIo())).toBe('./library')
  expect(await destinationOf(await configOf({ to: 'https://host' }, nas), fakeIo())).toBe('https://host')
  expect(await destinationOf(await configOf({ to: 'nas' }, nas), fakeIo())).toBe('s3://bucket/x')
})

test('an unknown name is never taken for a folder', async () => {
  const config = await configOf({ to: 'nsa' }, { nas: '/x' })
  await expect(destinationOf(config, fakeIo())).rejects.toMatchObject({
    code: 'usage',
    hint: 'did you mean nas? A folder is written ./nsa',
  })
  await expect(destinationOf(await configOf({ to: 'constructor' }), fakeIo())).rejects.toMatchObject({ code: 'usage' })
})

test('where nobody can be asked, an example says what to do', async () => {
  const nobody = [fakeIo(), fakeIo({ stdinTty: true }), fakeIo({ stderrTty: true })]
  for (const io of nobody) {
    await expect(destinationOf(await configOf(), io)).rejects.toMatchObject({
      code: 'no-destination',
      hint: expect.stringContaining('--to ./library') as string,
    })
    expect(io.stderr.text).toBe('')
  }
  await expect(destinationOf(await configOf({ filesFrom: '-' }), terminal())).rejects.toMatchObject({
    code: 'no-destination',
  })
})

test('a terminal is asked once; the answer is kept and holds from every folder', async () => {
  const io = terminal()
  io.stdin.write('library/photos\n')
  const to = await destinationOf(await configOf(), io)
  expect(to).toBe(join(root, 'library/photos'))
  expect(JSON.parse(readFileSync(userFile(), 'utf8'))).toEqual({ to })
  expect((await configOf()).to).toBe(to)
  expect(io.stdout.text).toBe('')
})

test('a dry run keeps nothing', async () => {
  const io = terminal()
  io.stdin.write('./x\n')
  await destinationOf(await configOf({ dryRun: true }), io)
  expect(() => readFileSync(userFile())).toThrow()
})

test.each([
  ['nothing', '\n', 'usage'],
  ['a login', 's3://a:hunter2@b\n', 'usage'],
  ['Ctrl-C', '\u0003', 'interrupted'],
  ['Ctrl-D', '\u0004', 'no-destination'],
])('%s is no answer', async (_, typed, code) => {
  const io = terminal()
  void sleep(20).then(() => io.stdin.write(typed))
  const error: unknown = await destinationOf(await configOf(), io).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code })
  expect(String(error)).not.toContain('hunter2')
})
