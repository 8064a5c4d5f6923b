import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type * as nodeSqlite from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tryLock } from '../../src/state/lock.ts'

/** What happens between a process's opening the lock's file and its locking it. */
const race = vi.hoisted(() => ({ meanwhile: undefined as (() => void) | undefined }))

vi.mock('node:sqlite', async (original) => {
  const sqlite = await original<typeof nodeSqlite>()
  class DatabaseSync extends sqlite.DatabaseSync {
    override exec(sql: string): void {
      const { meanwhile } = race
      race.meanwhile = undefined
      meanwhile?.()
      super.exec(sql)
    }
  }
  return { ...sqlite, DatabaseSync }
})

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-lock-'))
  path = join(folder, 'run.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(process.platform === 'win32')(
  'a lock whose file is removed by its last owner in the very moment',
  () => {
    it.each<[string, () => void]>([
      ['and made again by the next', () => writeFileSync(path, '')],
      ['and by nobody made again', () => undefined],
    ])('%s is taken on the file that is there', async (_, make) => {
      writeFileSync(path, '')
      race.meanwhile = () => {
        rmSync(path)
        make()
      }
      const lock = tryLock(path)
      expect(lock).toBeDefined()
      const entry = fileURLToPath(new URL('lock-holder.ts', import.meta.url))
      const child = spawn(process.execPath, [entry, 'hold', path], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      expect(said.toString()).toBe('refused\n')
      lock?.release()
    })
  },
)
