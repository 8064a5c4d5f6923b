import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, codeOf } from '../../contract/calls.ts'
import { testDestination } from '../../contract/destination.ts'
import { collect, content, sourceOf } from '../../contract/sources.ts'
import { diskVolume, type LocalSubject, localSubject, sharedMemory } from './local-subject.ts'

testDestination('local, on disk', () => localSubject())
if (sharedMemory !== undefined) {
  testDestination('local, in shared memory', () =>
    localSubject({ volume: { ...diskVolume, volatile: true } }, sharedMemory),
  )
}

describe('local', () => {
  let subject: LocalSubject
  beforeEach(() => {
    subject = localSubject()
  })
  afterEach(() => subject.dispose?.())

  it('says of a key that leads through a file that it is invalid', async () => {
    const { destination } = subject
    await destination.put('a', sourceOf(content(3)), call())
    expect(await codeOf(destination.put('a/b.jpg', sourceOf(content(3)), call()))).toBe('key-invalid')
    expect(subject.halves()).toEqual([])
  })

  it('counts a folder, and a link, as a taken key', async () => {
    const { destination, root } = subject
    mkdirSync(join(root, 'folder.jpg'))
    symlinkSync('/nowhere', join(root, 'link.jpg'))
    for (const key of ['folder.jpg', 'link.jpg']) {
      expect(await destination.stat(key, call())).toMatchObject({ bytes: -1 })
      expect(await codeOf(destination.put(key, sourceOf(content(3)), call()))).toBe('key-taken')
    }
  })

  it('makes a folder again that somebody removed in mid-run', async () => {
    const { destination, root } = subject
    await destination.put('a/b/1.jpg', sourceOf(content(3)), call())
    rmSync(join(root, 'a'), { recursive: true })
    await destination.put('a/b/2.jpg', sourceOf(content(3)), call())
    expect(readdirSync(join(root, 'a/b'))).toEqual(['2.jpg'])
  })

  it('keeps its own files out of every list', async () => {
    const { destination, root } = subject
    writeFileSync(join(root, '.lumina', 'catalog.db'), 'x')
    await destination.put('a.jpg', sourceOf(content(3)), call())
    const keys: string[] = []
    for await (const { key } of destination.list?.('', call()) ?? []) keys.push(key)
    expect(keys).toEqual(['a.jpg'])
  })

  it('never meets a temporary file that another run left behind', async () => {
    const { destination, reopen } = subject
    const source = sourceOf(content(3))
    const before = await destination.resumable?.begin('a.jpg', source, call())
    const after = await reopen?.().resumable?.begin('a.jpg', source, call())
    expect(after).not.toEqual(before)
  })

  it('refuses what there is no room for, before its first byte', async () => {
    const { destination } = subject
    const source = { bytes: 2 ** 52, kind: 'image/jpeg', read: () => expect.unreachable() }
    expect(await codeOf(destination.put('a.jpg', source, call()))).toBe('destination-full')
    expect(subject.halves()).toEqual([])
  })

  it('counts what other lanes are about to write', async () => {
    const inFlight = new Int32Array(new SharedArrayBuffer(4))
    const one = localSubject({ inFlight })
    try {
      const { destination } = one
      const freeBytes = (await destination.freeBytes?.(call())) as number
      Atomics.store(inFlight, 0, Math.min(2 ** 31 - 1, Math.ceil(freeBytes / 1024)))
      if (freeBytes >= (2 ** 31 - 1) * 1024) return
      expect(await codeOf(destination.put('a.jpg', sourceOf(content(2048)), call()))).toBe('destination-full')
    } finally {
      await one.dispose?.()
    }
  })

  it('gives back the room of transfers that ended, however they did', async () => {
    const inFlight = new Int32Array(new SharedArrayBuffer(4))
    const one = localSubject({ inFlight })
    try {
      const { destination } = one
      const all = content(300_001)
      await destination.put('a.jpg', sourceOf(all), call())
      await codeOf(destination.put('a.jpg', sourceOf(all), call()))
      await codeOf(destination.put('b.jpg', sourceOf(all, { endsAt: 7 }), call()))
      const token = await destination.resumable?.begin('c.jpg', sourceOf(all), call())
      if (!token) throw new Error('resumable')
      await codeOf(destination.resumable?.append(token, sourceOf(all), 5, call()))
      await codeOf(destination.resumable?.append({ temp: 'gone' }, sourceOf(all), 0, call()))
      await destination.resumable?.append(token, sourceOf(all), 0, call())
      expect(Atomics.load(inFlight, 0)).toBe(0)
    } finally {
      await one.dispose?.()
    }
  })

  it('reads no link, no folder and nothing outside', async () => {
    const { destination, root } = subject
    writeFileSync(join(root, '..', 'secret'), 'secret')
    symlinkSync(join(root, '..', 'secret'), join(root, 'link.jpg'))
    mkdirSync(join(root, 'folder.jpg'))
    for (const key of ['link.jpg', 'folder.jpg']) {
      await expect(collect(destination.get?.(key, 0, call()))).rejects.toThrow()
    }
  })
})
