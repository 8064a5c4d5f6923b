import { unlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { PipelineOptions } from '../../src/pipeline/options.ts'
import { watchFs } from './fs-calls.ts'
import { jpeg, World, xmp, type Ran } from './harness.ts'

const verify = (more: Partial<PipelineOptions> = {}): { options: Partial<PipelineOptions> } => ({
  options: { task: 'verify', rehash: true, ...more },
})

/** What was said of each file, by the last part of its name. */
function verdictsOf({ events }: Ran): Record<string, string> {
  const verdicts: Record<string, string> = {}
  for (const event of events) {
    if (event.event === 'verified') verdicts[event.path.split('/').at(-1) as string] = `verified ${event.key}`
    if (event.event === 'not-stored') verdicts[event.path.split('/').at(-1) as string] = event.reason
  }
  return verdicts
}

async function stored(): Promise<World> {
  const world = new World()
  world.write('a.jpg', jpeg(1))
  world.write('a.xmp', xmp('a'))
  world.write('big.jpg', jpeg(2, 600_000))
  await world.run()
  return world
}

describe('verify', () => {
  it('reads both sides of every file, and finds them the same', async () => {
    const world = await stored()
    const calls = watchFs(world.source)
    const ran = await world.run(verify())
    expect(verdictsOf(ran)).toEqual({
      'a.jpg': 'verified a.jpg',
      'a.xmp': 'verified a.xmp',
      'big.jpg': 'verified big.jpg',
    })
    expect(ran.tally).toMatchObject({ found: 3, uploaded: 3, notStored: {}, failed: 0 })
    expect(calls.readBytes).toBeGreaterThan(600_000)
  })

  it('names each file that is not stored, and why', async () => {
    const world = await stored()
    world.write('new.jpg', jpeg(9))
    world.write('words.txt', 'words')
    world.write('empty.jpg', '')
    const ran = await world.run(verify())
    expect(verdictsOf(ran)).toMatchObject({ 'new.jpg': 'unknown', 'words.txt': 'not-a-photo', 'empty.jpg': 'empty' })
    expect(ran.tally).toMatchObject({ found: 6, uploaded: 3, notStored: { unknown: 1, 'not-a-photo': 1, empty: 1 } })
  })

  it('drops what is missing or rotten from the catalog, and the next upload heals it', async () => {
    const world = await stored()
    world.destination.objects.delete('a.jpg')
    world.destination.objects.set('big.jpg', jpeg(3, 600_000))
    expect(verdictsOf(await world.run(verify()))).toMatchObject({ 'a.jpg': 'missing', 'big.jpg': 'rotten' })
    expect((await world.entries()).map(({ key }) => key)).toEqual(['a.xmp'])
    expect(await world.run()).toMatchObject({ uploaded: 2, failed: 0 })
    expect(await world.run(verify())).toMatchObject({ uploaded: 3 })
    // what is rotten stays where it is, and the whole content lies beside it
    expect(world.keys).toContain('big-2.jpg')
  })

  it('trusts the catalog when asked to be quick', async () => {
    const world = await stored()
    world.destination.objects.clear()
    expect(await world.run(verify({ quick: true }))).toMatchObject({ uploaded: 3 })
    expect(await world.entries()).toHaveLength(3)
  })

  it('sends nothing, and tells what it could not look at', async () => {
    const world = await stored()
    const objects = new Map(world.destination.objects)
    const path = world.write('z.jpg', jpeg(7))
    const ran = await world.run({
      ...verify(),
      lane: (client) => ({
        ...client,
        work: (batch) => {
          unlinkSync(path)
          return client.work(batch)
        },
      }),
    })
    expect(verdictsOf(ran)).toMatchObject({ 'z.jpg': 'unreadable', 'a.jpg': 'verified a.jpg' })
    expect(world.destination.objects).toEqual(objects)
  })
})

describe('index', () => {
  const index = { options: { task: 'index', rehash: true } } as const

  it('takes what lies there into the catalog, under the keys that it has', async () => {
    const world = new World()
    world.write('2024/a.jpg', jpeg(1))
    world.write('2024/a.xmp', xmp('a'))
    world.write('copy.jpg', jpeg(1))
    world.write('words.txt', 'words')
    const ran = await world.run(index)
    expect(ran).toMatchObject({ found: 4, uploaded: 2, skipped: 2, failed: 0 })
    const entries = await world.entries()
    expect(entries.find(({ sidecar }) => sidecar)?.key).toBe('2024/a.xmp')
    expect(['2024/a.jpg', 'copy.jpg']).toContain(entries.find(({ sidecar }) => !sidecar)?.key)
    expect(world.keys).toEqual([])
  })

  it('believes the file, where the catalog remembers another', async () => {
    const world = new World()
    world.write('a.jpg', jpeg(1))
    await world.run(index)
    world.write('a.jpg', jpeg(2), 1_800_000_000_000)
    expect(await world.run(index)).toMatchObject({ uploaded: 1 })
    expect(await world.entries()).toHaveLength(1)
    expect(await world.run(index)).toMatchObject({ uploaded: 0, skipped: 1 })
  })
})
