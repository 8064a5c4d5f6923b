import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LuminaError } from '../../src/errors.ts'
import { isBusy, isDamage, Sqlite } from '../../src/state/sqlite.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lumina-sqlite-'))
  path = join(folder, 'a.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const failure = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('It should have failed.')
}

describe('Sqlite', () => {
  it('does all of a transaction or nothing of it', () => {
    const sqlite = new Sqlite(path)
    sqlite.migrate('The file', ['CREATE TABLE t (a INTEGER PRIMARY KEY)'])
    expect(sqlite.transaction(() => (sqlite.run('INSERT INTO t VALUES (1)'), 7))).toBe(7)
    const thrown = new LuminaError('bug', 'In the middle.')
    const halfway = (): void => {
      sqlite.run('INSERT INTO t VALUES (2)')
      throw thrown
    }
    expect(failure(() => sqlite.transaction(halfway))).toBe(thrown)
    expect(sqlite.rows('SELECT a FROM t')).toEqual([[1]])
    sqlite.transaction(() => sqlite.run('INSERT INTO t VALUES (3)'))
    expect(sqlite.row('SELECT max(a) FROM t')).toEqual([3])
    sqlite.close()
    sqlite.close()
  })

  it('runs the steps that a file has not seen yet, and each of them once', () => {
    const steps = [
      'CREATE TABLE t (a); INSERT INTO t VALUES (1)',
      'INSERT INTO t VALUES (2)',
      'INSERT INTO t VALUES (3)',
    ]
    for (const count of [1, 1, 3, 3]) {
      const sqlite = new Sqlite(path)
      sqlite.migrate('The file', steps.slice(0, count))
      expect(sqlite.rows('SELECT a FROM t')).toHaveLength(count)
      sqlite.close()
    }
    const sqlite = new Sqlite(path)
    expect(failure(() => sqlite.migrate('The file', steps.slice(0, 1)))).toMatchObject({ code: 'state-newer' })
    expect(sqlite.rows('SELECT a FROM t')).toHaveLength(3)
    sqlite.close()
  })

  it('leaves a file as it was when a step fails', () => {
    const sqlite = new Sqlite(path)
    failure(() => sqlite.migrate('The file', ['CREATE TABLE t (a)', 'no SQL']))
    expect(sqlite.rows("SELECT name FROM sqlite_master WHERE name='t'")).toEqual([])
    sqlite.migrate('The file', ['CREATE TABLE t (a)'])
    sqlite.close()
  })
})

describe('isDamage', () => {
  it('tells a damaged file from a mistake and from a rival', () => {
    writeFileSync(path, 'garbage'.repeat(1000))
    expect(isDamage(failure(() => new Sqlite(path)))).toBe(true)
    rmSync(path)

    const sqlite = new Sqlite(path)
    sqlite.migrate('The file', ['CREATE TABLE t (a INTEGER PRIMARY KEY)'])
    expect(isDamage(failure(() => sqlite.run('SELEKT 1')))).toBe(false)
    sqlite.run('INSERT INTO t VALUES (1)')
    expect(isDamage(failure(() => sqlite.run('INSERT INTO t VALUES (1)')))).toBe(false)
    expect(isDamage(failure(() => sqlite.transaction(() => sqlite.transaction(() => 1))))).toBe(false)
    sqlite.db.exec(`INSERT INTO t VALUES (${2n ** 60n})`)
    expect(isDamage(failure(() => sqlite.rows('SELECT a FROM t')))).toBe(true)

    const rival = new Sqlite(path)
    rival.db.exec('PRAGMA busy_timeout=0')
    const busy = sqlite.transaction(() => failure(() => rival.transaction(() => 1)))
    expect(isBusy(busy)).toBe(true)
    expect(isDamage(busy)).toBe(false)
    expect(isDamage(new TypeError('A bug.'))).toBe(false)
    expect(isDamage(undefined)).toBe(false)
    rival.close()
    sqlite.close()
  })
})
