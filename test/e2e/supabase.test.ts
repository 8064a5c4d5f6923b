import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { faultProxy } from '../faults/proxy.ts'
import { insertOnly } from '../supabase/storage.ts'
import { jpeg, jpegTaken, movie, randomFrom } from './contents.ts'
import { until } from './program.ts'
import { digestsIn } from './scene.ts'
import { bucket, createServiceScene, type ServiceScene, sha256 } from './service.ts'

const mebibyte = 1024 * 1024
const pieceBytes = 6 * mebibyte

/** Every content of the source is stored once, whole, and nothing else is. */
async function expectAllStored(scene: ServiceScene): Promise<void> {
  const stored = [...(await scene.stored()).values()].toSorted()
  const wanted = [...new Set(digestsIn(scene.source).values())].toSorted()
  expect(stored).toEqual(wanted)
}

describe('an upload to Supabase Storage', () => {
  test('stores each content once, whole, with its kind and what is known of it; a second run sends nothing', async () => {
    const scene = await createServiceScene()
    scene.add('DCIM/IMG_1.jpg', jpegTaken(1, '2024:05:06 07:08:09'))
    scene.add('DCIM/copy of it.jpg', jpegTaken(1, '2024:05:06 07:08:09'))
    scene.add('DCIM/写真 #1.jpg', jpeg(2, 300_000))
    scene.add('DCIM/MVI_1.mov', movie(3, 7 * mebibyte))
    const first = await scene.sent()
    expect(first.stderr).not.toContain('✗')
    expect(first.code).toBe(0)
    expect(first.summary).toMatchObject({ found: 4, uploaded: 3, skipped: 1, destination: 'supabase://photos/2026' })
    await expectAllStored(scene)
    for (const [key, { type, metadata }] of scene.storage.objects(bucket)) {
      if (key.startsWith('.lumina/')) continue
      expect(key).toMatch(/^2026\/DCIM\//)
      expect(type).toBe(key.endsWith('.mov') ? 'video/quicktime' : 'image/jpeg')
      expect(metadata).toMatchObject({
        digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        name: expect.stringMatching(/\.(jpg|mov)$/) as string,
        mtime: expect.stringMatching(/^\d{4}-/) as string,
      })
    }
    const notes = [...scene.storage.objects(bucket).values()].map(({ metadata }) => metadata as { taken?: string })
    expect(notes.map(({ taken }) => taken)).toContain('2024-05-06T07:08:09')
    scene.storage.counters.reset()
    const again = await scene.sent()
    expect(again.summary).toMatchObject({ uploaded: 0, skipped: 4, failed: 0 })
    expect(scene.writes()).toBe(0)
  })

  test('with a lost ledger costs a look at each file and no second upload', async () => {
    const scene = await createServiceScene()
    for (let at = 0; at < 30; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    expect((await scene.sent()).code).toBe(0)
    rmSync(scene.state, { recursive: true })
    const before = scene.storage.objects(bucket).size
    const again = await scene.sent()
    expect(again.summary).toMatchObject({ uploaded: 0, skipped: 30, failed: 0 })
    expect(scene.storage.objects(bucket).size).toBe(before)
  })

  test('is verified byte by byte; what is rotten there is found, and healed by the next upload', async () => {
    const scene = await createServiceScene()
    for (let at = 0; at < 5; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    await scene.sent()
    expect((await scene.verified()).code).toBe(0)
    const [key, file] = [...scene.storage.objects(bucket)].find(([name]) => name.includes('IMG_3')) ?? []
    if (!key || !file) throw new Error('It is not there.')
    writeFileSync(file.path, jpeg('rotten', file.bytes))
    const verdict = await scene.verified()
    expect(verdict.code).toBe(1)
    expect(verdict.outcomes['IMG_3.jpg']).toBe('rotten')
    const healed = await scene.sent()
    expect(healed.summary).toMatchObject({ uploaded: 1, failed: 0 })
    expect((await scene.verified()).code).toBe(0)
  })

  test('works where the policy lets insert and nothing else', async () => {
    const scene = await createServiceScene()
    scene.storage.policy['authenticated'] = insertOnly()
    const env = { SUPABASE_KEY: scene.storage.tokenFor({ sub: 'ana' }) }
    for (let at = 0; at < 8; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    scene.add('MVI.mov', movie(9, 7 * mebibyte))
    const ran = await scene.sent([], { env })
    expect(ran.summary).toMatchObject({ uploaded: 9, failed: 0 })
    await expectAllStored(scene)
    const again = await scene.sent([], { env })
    expect(again.summary).toMatchObject({ uploaded: 0, skipped: 9 })
  })

  test('touches nothing in a dry run, and says what would happen', async () => {
    const scene = await createServiceScene()
    scene.add('IMG_1.jpg', jpeg(1))
    const ran = await scene.sent(['--dry-run'])
    expect(ran.summary).toMatchObject({ uploaded: 1, dryRun: true })
    expect(scene.storage.objects(bucket).size).toBe(0)
    expect(scene.writes()).toBe(0)
  })

  test('stores what two cameras call alike, from several processes at once, each whole', async () => {
    const scenes = await Promise.all([0].map(async () => createServiceScene()))
    const [scene] = scenes as [ServiceScene]
    const runs = Array.from({ length: 4 }, (_, camera) => {
      for (let at = 0; at < 10; at++) scene.add(`camera ${camera}/IMG_${at}.jpg`, jpeg(`${camera}/${at}`))
      const folder = join(scene.source, `camera ${camera}`)
      return scene.run(
        ['upload', folder, '--to', `supabase://${bucket}/2026`, '--state', `${scene.state}-${camera}`, '--json'],
        { env: scene.env },
      )
    })
    for (const ran of await Promise.all(runs)) expect(ran.summary).toMatchObject({ uploaded: 10, failed: 0 })
    await expectAllStored(scene)
  })
})

describe('a bucket that was filled by others', () => {
  test('is indexed, so that nothing in it is sent again', async () => {
    const scene = await createServiceScene()
    const post = (key: string, body: Buffer): Promise<Response> =>
      fetch(`${scene.storage.url}/storage/v1/object/${bucket}/${key}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${scene.storage.serviceKey}`, 'content-type': 'image/jpeg' },
        body: new Uint8Array(body),
      })
    for (let at = 0; at < 3; at++) expect((await post(`2026/old/${at}.jpg`, jpeg(at))).status).toBe(200)
    for (let at = 0; at < 4; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    const indexed = await scene.run(['index', `supabase://${bucket}/2026`, '--json'], { env: scene.env })
    expect(indexed.code).toBe(0)
    expect(indexed.of('index-summary')[0]).toMatchObject({ found: 3, indexed: 3 })
    expect((await scene.sent()).summary).toMatchObject({ uploaded: 1, skipped: 3 })
    const again = await scene.run(['index', `supabase://${bucket}/2026`, '--json'], { env: scene.env })
    expect(again.of('index-summary')[0]).toMatchObject({ indexed: 0, failed: 0 })
  })
})

describe('a service that refuses', () => {
  test('ends the run at once with exit code 4, and the key is in nothing that is left or said', async () => {
    const scene = await createServiceScene()
    for (let at = 0; at < 20; at++) scene.add(`IMG_${at}.jpg`, jpeg(at))
    const key = `${scene.storage.serviceKey.slice(0, -6)}forged`
    const ran = await scene.sent(['--log-file', join(scene.root, 'log.ndjson')], {
      env: { SUPABASE_KEY: key, LUMINA_VERBOSE: '2' },
    })
    expect(ran.code).toBe(4)
    expect(ran.stderr).toMatch(/key|log in|login|refused/i)
    const left = readdirSync(scene.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
    const signature = key.split('.')[2] as string
    for (const text of [ran.stdout, ran.stderr, ...left]) {
      expect(text.includes(key)).toBe(false)
      expect(text.includes(signature)).toBe(false)
    }
  })

  test('says which bucket is missing', async () => {
    const scene = await createServiceScene()
    scene.add('IMG_1.jpg', jpeg(1))
    const ran = await scene.run(['upload', scene.source, '--to', 'supabase://nowhere'], { env: scene.env })
    expect(ran.code).toBe(4)
    expect(ran.stderr).toContain('nowhere')
  })

  test('is not asked without a key: exit code 2, with what to set', async () => {
    const scene = await createServiceScene()
    scene.add('IMG_1.jpg', jpeg(1))
    const keyless = await scene.sent([], { env: { SUPABASE_KEY: '' } })
    expect(keyless.code).toBe(2)
    expect(keyless.stderr).toContain('SUPABASE_KEY')
    const urlless = await scene.sent([], { env: { SUPABASE_URL: '' } })
    expect(urlless.code).toBe(2)
    expect(urlless.stderr).toContain('SUPABASE_URL')
  })
})

describe('a service that cannot be reached', () => {
  test('ends the run with exit code 5, and the next one goes on', async () => {
    const scene = await createServiceScene()
    for (let at = 0; at < 20; at++) scene.add(`IMG_${at}.jpg`, jpeg(at, 100_000))
    const proxy = await faultProxy({ host: '127.0.0.1', port: scene.storage.port })
    const env = { SUPABASE_URL: proxy.url }
    const run = scene.send(['--retries', '0', '--bwlimit', '500K', '--concurrency', '1'], { env })
    await until('something is stored', () => scene.storage.objects(bucket).size > 4)
    await proxy.refuse()
    proxy.cut()
    const ran = await run.ended
    expect(ran.code).toBe(5)
    await proxy.accept()
    const again = await scene.sent([], { env })
    expect(again.summary.failed).toBe(0)
    await expectAllStored(scene)
    await proxy.close()
  })
})

describe('lumina doctor', () => {
  test('says that a service lets us in, and which catalog it has; and what to do where it does not', async () => {
    const scene = await createServiceScene()
    scene.add('IMG_1.jpg', jpeg(1))
    const look = (env: Record<string, string> = {}): ReturnType<ServiceScene['run']> =>
      scene.run(['doctor', '--to', `supabase://${bucket}/2026`], { env: { ...scene.env, ...env } })
    expect((await look()).stdout).toMatch(/no catalog yet/)
    expect(scene.storage.objects(bucket).size).toBe(0)
    await scene.sent()
    const well = await look()
    expect(well.stdout).toMatch(/✓ supabase:\/\/photos\/2026 lets us in/)
    expect(well.stdout).toMatch(/✓ catalog of plain files/)
    expect(well.code).toBe(0)
    const forged = await look({ SUPABASE_KEY: `${scene.storage.serviceKey.slice(0, -4)}abcd` })
    expect(forged.code).toBe(1)
    expect(forged.stdout).toMatch(/✗ .*does not let this user in/)
  })
})

describe('kill -9', () => {
  // each run hashes the file before it goes on
  test(
    'at 25 moments of a 300 MB upload: each piece is sent twice at most, and the end is verified',
    { timeout: 240_000 },
    async () => {
      const scene = await createServiceScene()
      const content = movie(1, 300 * mebibyte)
      scene.add('MVI.mov', content)
      const random = randomFrom('moments of a resumable upload')
      const received = (): number =>
        [...scene.storage.counters.uploadBytes.values()].reduce((sum, bytes) => sum + bytes, 0)
      let kills = 0
      for (; kills < 25; kills++) {
        const before = received()
        const amount = random() * 20 * mebibyte
        const run = scene.send()
        await until('some bytes', () => received() - before > amount || !run.running())
        if (!run.running()) break
        run.kill('SIGKILL')
        await run.ended
      }
      expect((await scene.sent()).summary.failed).toBe(0)
      expect([...(await scene.stored()).values()]).toEqual([sha256(content)])
      expect(received()).toBeLessThanOrEqual(content.length + (kills + 1) * pieceBytes)
      expect(scene.storage.counters.requests.get('POST /upload/resumable')).toBe(1)
      expect((await scene.verified()).code).toBe(0)
    },
  )
})
