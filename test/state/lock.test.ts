import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isLocked, tryLock } from '../../src/state/lock.ts'

const entry = fileURLToPath(new URL('lock-holder.ts', import.meta.url))

let folder: string
let path: string
let children: ChildProcess[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-lock-'))
  path = join(folder, 'below', 'run.lock')
  children = []
})
afterEach(async () => {
  await Promise.all(children.map(kill))
  rmSync(folder, { recursive: true, force: true })
})

const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
const start = async (what: 'hold' | 'look'): Promise<{ child: ChildProcess; said: string }> => {
  const child = spawn(process.execPath, [entry, what, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, said: said.toString().trim() }
}

describe('a lock', () => {
  it('is one process’s at a time', async () => {
    const lock = tryLock(path)
    expect(lock).toBeDefined()
    expect((await start('hold')).said).toBe('refused')
    lock?.release()
    expect((await start('hold')).said).toBe('held')
    expect(tryLock(path)).toBeUndefined()
  })

  it('dies with its process, by kill -9', async () => {
    const { child, said } = await start('hold')
    expect(said).toBe('held')
    expect(isLocked(path)).toBe(true)
    await kill(child)
    expect(isLocked(path)).toBe(false)
    const lock = tryLock(path)
    expect(lock).toBeDefined()
    lock?.release()
  })

  it('is one thread’s at a time, and one caller’s', async () => {
    const lock = tryLock(path)
    expect(tryLock(path)).toBeUndefined()
    const worker = new Worker(entry, { argv: ['hold', path], stdout: true })
    const [said] = (await once(worker.stdout, 'data')) as [Buffer]
    expect(said.toString()).toBe('refused\n')
    await worker.terminate()
    lock?.release()
  })

  it('is not lost when its own process asks whether it is held', async () => {
    const lock = tryLock(path)
    expect(isLocked(path)).toBe(true)
    expect(tryLock(path)).toBeUndefined()
    expect((await start('hold')).said).toBe('refused')
    lock?.release()
  })

  it('can be taken while others look whether it is held', async () => {
    await start('look')
    for (let times = 0; times < 50; times++) {
      const lock = tryLock(path)
      expect(lock).toBeDefined()
      lock?.release()
    }
  })

  it('leaves nothing behind but its folder', () => {
    tryLock(path)?.release()
    expect(process.platform === 'win32' || !existsSync(path)).toBe(true)
    if (process.platform !== 'win32') expect(readdirSync(join(folder, 'below'))).toEqual([])
  })

  it('is free where there is none, and asking makes none', () => {
    expect(isLocked(path)).toBe(false)
    expect(existsSync(join(folder, 'below'))).toBe(false)
  })

  it('takes over the file that a killed process has left', () => {
    tryLock(path)?.release()
    writeFileSync(path, '')
    expect(isLocked(path)).toBe(false)
    const lock = tryLock(path)
    expect(lock).toBeDefined()
    lock?.release()
  })
})
