import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, onTestFinished, test } from 'vitest'

import { init } from '../../src/commands/init.ts'
import { loadConfig } from '../../src/config.ts'
import { rolesSql } from '../postgres/gateway.ts'
import { postgresForTests } from '../postgres/server.ts'
import { fakeIo } from '../report/fake-io.ts'

const postgres = await postgresForTests()
afterAll(() => postgres?.stop())

interface Asked {
  code: number
  out: string
  err: string
}

async function ask(apply: boolean, env: NodeJS.ProcessEnv = {}, service = 'supabase'): Promise<Asked> {
  const root = mkdtempSync(join(tmpdir(), 'lumina-init-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const file = env['LUMINA_CATALOG_FILE'] === undefined ? {} : { LUMINA_CATALOG_FILE: join(root, 'url') }
  if (env['LUMINA_CATALOG_FILE'] !== undefined) writeFileSync(join(root, 'url'), `${env['LUMINA_CATALOG_FILE']}\n`)
  const io = fakeIo({ cwd: root, env: { ...env, ...file }, nowMs: Date.now() })
  const places = { userFile: join(root, 'config.json'), stateDir: join(root, 'state') }
  const config = await loadConfig({ command: 'init', flags: {}, env: io.env, cwd: root, nowMs: Date.now(), places })
  const code = await init(config, { service, apply }, io)
  return { code, out: io.stdout.text, err: io.stderr.text }
}

test('prints the migration, and nothing else, to stdout', async () => {
  const { code, out, err } = await ask(false)
  expect(code).toBe(0)
  expect(out).toMatch(/^\s*create schema if not exists lumina;/)
  expect(out).toContain('create or replace function public.lumina_claim(')
  expect(err).toBe('')
})

test('knows no other service', async () => {
  await expect(ask(false, {}, 'nas')).rejects.toMatchObject({ code: 'usage' })
})

test('asks for a database to apply it to', async () => {
  const hint = expect.stringContaining('LUMINA_CATALOG_FILE') as string
  await expect(ask(true)).rejects.toMatchObject({ code: 'config', hint })
})

describe.skipIf(!postgres)('applied', () => {
  if (!postgres) return
  const project = async (): Promise<string> => {
    const url = await postgres.database()
    for (const sql of rolesSql) await postgres.run(url, sql)
    return url
  }

  test.each(['LUMINA_CATALOG', 'LUMINA_CATALOG_FILE', 'DATABASE_URL'])('to the database of %s, twice', async (name) => {
    const url = await project()
    for (let times = 0; times < 2; times++) {
      const { code, out, err } = await ask(true, { [name]: url })
      expect([code, out]).toEqual([0, ''])
      expect(err).not.toContain(new URL(url).password)
    }
    const { rows } = await postgres.run(url, 'select public.lumina_version() as version')
    expect(rows).toEqual([{ version: 1 }])
  })

  test('what is printed is what is applied: it may be run as it is', async () => {
    const url = await project()
    await postgres.run(url, (await ask(false)).out)
    expect((await postgres.run(url, "select public.lumina_known('x', '[]') as known")).rows).toEqual([{ known: {} }])
  })

  test('where it is refused it says so, without the password', async () => {
    const url = new URL(await project())
    url.password = 'not-the-password'
    const failed = ask(true, { LUMINA_CATALOG: url.href })
    await expect(failed).rejects.toMatchObject({ code: 'destination-refused' })
    await expect(failed).rejects.not.toThrow(/not-the-password/)
  })
})
