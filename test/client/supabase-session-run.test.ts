import { dirname, join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { draftSession, readSession, sessionFile } from '../../src/client/supabase-session/file.ts'
import { jpeg } from '../e2e/contents.ts'
import { createServiceScene } from '../e2e/service.ts'
import { insertOnly } from '../supabase/storage.ts'

const email = 'ann@example.org'
const password = 'secret'

describe.skipIf(process.platform !== 'linux')('an upload with the login of a user', () => {
  async function scene() {
    const made = await createServiceScene()
    const { storage } = made
    const userId = storage.accounts.add(email, password)
    storage.policy['authenticated'] = { ...insertOnly(), select: true }
    const answer = await fetch(`${storage.url}/auth/v1/token?grant_type=password`, {
      method: 'POST',
      body: JSON.stringify({ email, password }),
    })
    const given = (await answer.json()) as { access_token: string; refresh_token: string }
    const configHome = join(dirname(made.source), 'config')
    const file = sessionFile(join(configHome, 'lumina'), storage.url)
    const keep = (leftMs: number): void =>
      draftSession(file).keep({
        url: storage.url,
        anonKey: storage.anonKey,
        userId,
        email,
        accessToken: given.access_token,
        refreshToken: given.refresh_token,
        expiresAtMs: Date.now() + leftMs,
        lifetimeMs: 3_600_000,
      })
    for (let at = 0; at < 60; at++) made.add(`IMG_${at}.jpg`, jpeg(at))
    const env = { SUPABASE_KEY: '', XDG_CONFIG_HOME: configHome }
    return { ...made, given, file, keep, env }
  }

  it('renews it once for all lanes where it has expired, and says nothing of its tokens', async () => {
    const { storage, keep, sent, env, stored, file, given } = await scene()
    keep(-1)
    const run = await sent(['--concurrency', '8', '-vv'], { env })
    expect(run.summary).toMatchObject({ uploaded: 60, failed: 0 })
    expect((await stored()).size).toBe(60)
    expect(storage.counters.refreshes).toBe(1)
    const said = run.stdout + run.stderr
    for (const secret of [given.access_token, given.refresh_token, readSession(file)?.accessToken])
      expect(said).not.toContain(secret)
  })

  it('renews it once for all lanes where the service refuses it in mid-run', async () => {
    const { storage, keep, sent, env, stored } = await scene()
    keep(3_000_000)
    let seen = 0
    storage.fault(
      {
        method: 'POST',
        path: /IMG_/,
        when: () => {
          if (++seen === 20) storage.accounts.expireSessions()
          return false
        },
      },
      { do: 'stall-answer' },
    )
    const run = await sent(['--concurrency', '8'], { env })
    expect(run).toMatchObject({ code: 0, summary: { found: 60, failed: 0 } })
    expect((await stored()).size).toBe(60)
    expect(storage.counters.refreshes).toBe(1)
  })

  it('ends at once with exit 4 where it cannot be renewed', async () => {
    const { storage, keep, sent, env } = await scene()
    keep(-1)
    storage.fault({ path: '/auth/v1/token' }, { do: 'answer', status: 400, body: { error_code: 'session_expired' } })
    const run = await sent([], { env })
    expect(run.code).toBe(4)
    expect(run.stderr).toContain('lumina login supabase')
    expect(storage.counters.refreshes).toBe(0)
  })
})
