import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { postgresForTests, type TestPostgres } from '../postgres/server.ts'
import { rolesSql, rpcGateway } from '../postgres/gateway.ts'
import { supabaseSql } from '../../src/client/catalogs/sql/supabase.ts'
import type { Rpc } from '../supabase/storage.ts'
import { jpeg } from './contents.ts'
import { until } from './program.ts'
import { bucket, createServiceScene, type ServiceScene } from './service.ts'

let postgres: TestPostgres | undefined
beforeAll(async () => {
  postgres = await postgresForTests()
}, 60_000)
afterAll(() => postgres?.stop())

const to = `supabase://${bucket}/2026`

/** Uploads a folder of the scene as one machine of many: with a memory of its own. */
function uploadFrom(scene: ServiceScene, folder: string, machine: string, env: Record<string, string>) {
  const state = `${scene.state}-${machine}`
  return scene.start(['upload', join(scene.source, folder), '--to', to, '--state', state, '--json'], {
    env: { ...scene.env, ...env },
  })
}

async function digestsOf(scene: ServiceScene): Promise<string[]> {
  return [...(await scene.stored()).values()].toSorted()
}

describe('machines that share a Postgres catalog', () => {
  test('ten at once, half of their files the same: each content is stored once', async ({ skip }) => {
    if (!postgres) return skip('no PostgreSQL')
    const scene = await createServiceScene()
    const env = { LUMINA_CATALOG: await postgres.database() }
    const machines = Array.from({ length: 10 }, (_, at) => `machine-${at}`)
    for (const machine of machines) {
      for (let at = 0; at < 50; at++) scene.add(`${machine}/shared-${at}.jpg`, jpeg(`shared ${at}`))
      for (let at = 0; at < 50; at++) scene.add(`${machine}/own-${at}.jpg`, jpeg(`${machine} ${at}`))
    }
    const runs = await Promise.all(machines.map((machine) => uploadFrom(scene, machine, machine, env).ended))
    const uploaded = runs.reduce((sum, ran) => sum + ran.summary.uploaded, 0)
    for (const ran of runs) expect(ran.summary).toMatchObject({ found: 100, failed: 0 })
    expect(uploaded).toBe(550)
    const stored = await digestsOf(scene)
    expect(stored).toHaveLength(550)
    expect(new Set(stored).size).toBe(550)
  })

  test('ten cameras that call different photos alike lose none, whoever comes first', async ({ skip }) => {
    if (!postgres) return skip('no PostgreSQL')
    const scene = await createServiceScene()
    const env = { LUMINA_CATALOG: await postgres.database() }
    const cameras = Array.from({ length: 10 }, (_, at) => `camera-${at}`)
    for (const camera of cameras) scene.add(`${camera}/IMG_0001.jpg`, jpeg(camera, 200_000))
    const runs = await Promise.all(cameras.map((camera) => uploadFrom(scene, camera, camera, env).ended))
    for (const ran of runs) expect(ran.summary).toMatchObject({ uploaded: 1, failed: 0 })
    const stored = await scene.stored()
    expect(new Set(stored.values()).size).toBe(10)
    const counters = Array.from({ length: 9 }, (_, at) => `2026/IMG_0001-${at + 2}.jpg`)
    expect([...stored.keys()].toSorted()).toEqual(['2026/IMG_0001.jpg', ...counters].toSorted())
  })

  test('a database that goes away ends the run with 5; what was stored by then is not stored again', async ({
    skip,
  }) => {
    if (!postgres?.crash || !postgres.start) return skip('no PostgreSQL of our own')
    const scene = await createServiceScene()
    const env = { LUMINA_CATALOG: await postgres.database() }
    for (let at = 0; at < 300; at++) scene.add(`day ${at % 30}/IMG_${at}.jpg`, jpeg(at, 40_000))
    const run = scene.send(['--bwlimit', '3M'], { env })
    await until('some are stored', () => scene.storage.objects(bucket).size > 40)
    await postgres.crash()
    const ran = await run.ended
    await postgres.start()
    expect(ran.code).toBe(5)
    expect(ran.stderr).toMatch(/database/)
    const before = new Set(scene.storage.objects(bucket).keys())
    const again = await scene.sent([], { env })
    expect(again.summary).toMatchObject({ found: 300, failed: 0 })
    const stored = await scene.stored()
    expect(stored.size).toBe(300)
    expect(new Set(stored.values()).size).toBe(300)
    for (const key of before) expect(stored.has(key)).toBe(true)
  })

  test('a library on a disk may have one too, and its password is in nothing that is said', async ({ skip }) => {
    if (!postgres) return skip('no PostgreSQL')
    const scene = await createServiceScene()
    const url = await postgres.database()
    const env = { LUMINA_CATALOG: url }
    for (let at = 0; at < 5; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    const first = await scene.upload([], { env })
    expect(first.summary).toMatchObject({ uploaded: 5 })
    const other = await scene.upload(['--state', `${scene.state}-2`], { env })
    expect(other.summary).toMatchObject({ uploaded: 0, skipped: 5 })
    expect((await scene.verify([], { env })).code).toBe(0)
    const wrong = new URL(url)
    wrong.password = 'not-the-password'
    const refused = await scene.upload([], { env: { LUMINA_CATALOG: wrong.href } })
    expect(refused.code).toBe(4)
    expect(refused.stdout + refused.stderr).not.toContain('not-the-password')
  })
})

describe('a project that has the catalog functions', () => {
  async function projectScene(server: TestPostgres): Promise<ServiceScene> {
    const database = await server.database()
    for (const sql of rolesSql) await server.run(database, sql)
    await server.run(database, supabaseSql)
    const gateway = await rpcGateway(database)
    const rpc: Rpc = async (name, args, claims) => {
      const role = claims.role
      const response = await fetch(`${gateway.url}/rest/v1/rpc/${name}`, {
        method: 'POST',
        headers: { apikey: 'any', authorization: `Bearer ${gateway.token({ role, sub: claims.sub ?? '' })}` },
        body: JSON.stringify(args),
      })
      const body: unknown = await response.json()
      if (response.ok) return body
      throw Object.assign(new Error('refused'), body)
    }
    return createServiceScene({ rpc })
  }

  test('keeps names as they are, and two machines at once store each content once', async ({ skip }) => {
    if (!postgres) return skip('no PostgreSQL')
    const scene = await projectScene(postgres)
    for (const machine of ['a', 'b']) {
      for (let at = 0; at < 60; at++)
        scene.add(`${machine}/IMG_${at}.jpg`, jpeg(at % 2 === 0 ? `${machine}${at}` : `${at}`))
    }
    const runs = await Promise.all(['a', 'b'].map((machine) => uploadFrom(scene, machine, machine, {}).ended))
    for (const ran of runs) expect(ran.summary).toMatchObject({ found: 60, failed: 0 })
    expect(runs.reduce((sum, ran) => sum + ran.summary.uploaded, 0)).toBe(90)
    const stored = await scene.stored()
    expect(stored.size).toBe(90)
    expect([...stored.keys()].every((key) => /^2026\/IMG_\d+(-2)?\.jpg$/.test(key))).toBe(true)
    expect(scene.storage.objects(bucket).has('.lumina/catalog/id.json')).toBe(false)
  })
})
