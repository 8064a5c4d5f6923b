import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { execa } from 'execa'
import { afterEach, beforeEach, expect, test } from 'vitest'

let src: string
beforeEach(() => {
  src = mkdtempSync(join(tmpdir(), 'lumina-imports-'))
})
afterEach(() => rmSync(src, { recursive: true }))

async function check(file: string, text: string): Promise<{ exitCode?: number; stderr: string }> {
  mkdirSync(join(src, dirname(file)), { recursive: true })
  writeFileSync(join(src, file), text)
  return execa(process.execPath, ['tools/imports.mjs', src], { reject: false })
}

test.each([
  ['commands/upload.ts', '../cli.ts', 'commands must not import cli'],
  ['report/bar.ts', '../pipeline/walk.ts', 'report must not import pipeline'],
  ['report/bar.ts', '../config.ts', 'report must not import config'],
  ['report/bar.ts', 'undici', 'report must not import the package undici'],
  ['pipeline/work.ts', '../report/bar.ts', 'pipeline must not import report'],
  ['pipeline/work.ts', '../commands/upload.ts', 'pipeline must not import commands'],
  ['pipeline/work.ts', '../client/open.ts', 'pipeline must not import open'],
  ['pipeline/work.ts', '../client/drivers/local.ts', 'pipeline must not import drivers'],
  ['pipeline/work.ts', '@aws-sdk/client-s3', 'pipeline must not import the package @aws-sdk/client-s3'],
  ['pipeline/lanes/pool.ts', '../../client/open.ts', 'pipeline must not import open'],
  ['pipeline/lanes/client.ts', './entry.ts', 'pipeline must not import entry'],
  ['pipeline/lanes/entry.ts', '../../client/drivers/local.ts', 'entry must not import drivers'],
  ['triage/grid.ts', '../pipeline/work.ts', 'triage must not import pipeline'],
  ['triage/grid.ts', '../client/open.ts', 'triage must not import open'],
  ['commands/upload.ts', '../client/drivers/local.ts', 'commands must not import drivers'],
  ['commands/upload.ts', '../client/catalogs/sqlite.ts', 'commands must not import catalogs'],
  ['client/drivers/s3.ts', '../layers/retry.ts', 'drivers must not import layers'],
  ['client/layers/retry.ts', '../drivers/s3.ts', 'layers must not import drivers'],
  ['client/layers/retry.ts', 'undici', 'layers must not import the package undici'],
  ['client/destination.ts', './open.ts', 'destination must not import open'],
  ['state/ledger.ts', '../pipeline/work.ts', 'state must not import pipeline'],
  ['hash/sniff.ts', '../state/ledger.ts', 'hash must not import state'],
  ['media/exif.ts', '../client/destination.ts', 'media must not import destination'],
  ['errors.ts', './hash/sniff.ts', 'base must not import hash'],
  ['elsewhere/new.ts', '../errors.ts', 'has no place'],
  ['commands/upload.ts', '../elsewhere/new.ts', 'has no place'],
])('%s may not import %s', async (file, specifier, message) => {
  const { exitCode, stderr } = await check(file, `// one\nimport { x } from '${specifier}'\n`)
  expect(stderr).toContain(message)
  expect(stderr).toMatch(/^src\/\S+:[12]: /)
  expect(exitCode).toBe(1)
})

test.each([
  ['type-only', "import type { X } from '../report/bar.ts'"],
  ['re-exported', "export { x } from '../report/bar.ts'"],
  ['lazy', "const { x } = await import('../report/bar.ts')"],
])('a %s import counts too', async (_, text) => {
  expect(await check('pipeline/work.ts', text)).toMatchObject({ exitCode: 1 })
})

test.each([
  ['cli.ts', './commands/upload.ts'],
  ['commands/upload.ts', '../client/open.ts'],
  ['commands/upload.ts', '../state/ledger.ts'],
  ['server/app.ts', '../client/open.ts'],
  ['pipeline/lanes/entry.ts', '../../client/open.ts'],
  ['client/open.ts', './drivers/local.ts'],
  ['client/drivers/local.ts', '../destination.ts'],
  ['pipeline/work.ts', '../client/destination.ts'],
  ['report/bar.ts', 'cli-progress'],
  ['hash/sniff.ts', 'node:fs'],
])('%s may import %s', async (file, specifier) => {
  expect(await check(file, `import { x } from '${specifier}'\n`)).toMatchObject({ exitCode: 0 })
})

test('who starts a thread may know the type of its settings', async () => {
  expect(await check('pipeline/lanes/client.ts', "import type { X } from './entry.ts'")).toMatchObject({ exitCode: 0 })
})

test('no sources at all are not all in order', async () => {
  expect(await execa(process.execPath, ['tools/imports.mjs', src], { reject: false })).toMatchObject({ exitCode: 1 })
})
