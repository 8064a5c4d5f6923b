import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { jpeg, noise } from './contents.ts'
import { until } from './program.ts'
import { createScene, digestsIn, type Scene } from './scene.ts'

const files = 400

/** An uploaded source with enough in it that its catalog has pages in the middle. */
async function storedScene(): Promise<Scene> {
  const scene = createScene()
  for (let at = 0; at < files; at++) scene.add(`${at % 11}/IMG_${at}.jpg`, jpeg(at, 300))
  expect((await scene.upload()).code).toBe(0)
  return scene
}

const harms: [string, (path: string) => void][] = [
  ['is garbage', (path) => writeFileSync(path, noise('garbage', 50_000))],
  ['is empty', (path) => truncateSync(path, 0)],
  ['is cut off', (path) => truncateSync(path, Math.floor(statSync(path).size / 2))],
  ['has other bytes in its middle', (path) => overwrite(path, 3)],
  ['has other bytes in every page but the first', (path) => overwrite(path, 1)],
]

/** Fills pages from `first` on with noise; the first page, which is looked at on opening, stays whole. */
function overwrite(path: string, first: number): void {
  const pageBytes = 4096
  const content = readFileSync(path)
  noise('harm', content.length).copy(content, first * pageBytes, first * pageBytes)
  writeFileSync(path, content)
}

function harm(folder: string, name: string, how: (path: string) => void): void {
  // a clean end has no log; whatever is there does not help a damaged file
  for (const suffix of ['-wal', '-shm']) rmSync(join(folder, name + suffix), { force: true })
  how(join(folder, name))
}

/** Nothing is sent again, everything is told once, and it is whole afterwards. */
async function expectRebuilt(scene: Scene, told: RegExp): Promise<void> {
  const before = digestsIn(scene.library)
  scene.add('new.jpg', jpeg('new'))
  const ran = await scene.upload()
  expect(ran.code).toBe(0)
  expect(ran.summary).toMatchObject({ found: files + 1, uploaded: 1, skippedBy: { 'already-there': files }, failed: 0 })
  expect(ran.stderr).toMatch(told)
  const after = digestsIn(scene.library)
  expect(after.size).toBe(before.size + 1)
  expect((await scene.verify()).code).toBe(0)
  const rerun = await scene.upload()
  expect(rerun.summary).toMatchObject({ uploaded: 0, skippedBy: { 'already-there': files + 1 } })
  expect(rerun.stderr).not.toMatch(/damaged|missing/)
}

describe('the ledger', () => {
  test.each(harms)('%s: it is set aside, begun anew, and nothing is sent again', async (_what, how) => {
    const scene = await storedScene()
    harm(scene.state, 'ledger.db', how)
    const emptied = statSync(join(scene.state, 'ledger.db')).size === 0
    await expectRebuilt(scene, emptied ? /All that was found is stored/ : /ledger was damaged/)
  })

  test('damage beside what the run needs first is found in mid-run', async () => {
    const scene = await storedScene()
    // the table of files alone
    harm(scene.state, 'ledger.db', (path) => overwritePagesOf(path, 'file'))
    await expectRebuilt(scene, /found = /)
    expect(readdirSync(scene.state).some((name) => name.startsWith('ledger.db.damaged-'))).toBe(true)
  })

  test('of a newer Lumina: left alone, with one clear line', async () => {
    const scene = await storedScene()
    newer(join(scene.state, 'ledger.db'))
    const before = readFileSync(join(scene.state, 'ledger.db'))
    const { code, stderr } = await scene.upload()
    expect(code).toBe(2)
    expect(stderr).toMatch(/^lumina: The ledger .* was written by a newer Lumina/)
    expect(stderr).toContain('Update Lumina')
    expect(readFileSync(join(scene.state, 'ledger.db'))).toEqual(before)
  })
})

describe('the catalog', () => {
  test.each([...harms, ['is gone', (path: string) => rmSync(path)] as (typeof harms)[number]])(
    '%s: it is made again from what is stored, and nothing is sent again',
    async (_what, how) => {
      const scene = await storedScene()
      harm(join(scene.library, '.lumina'), 'catalog.db', how)
      await expectRebuilt(scene, /catalog of the library (was damaged|is missing)/)
    },
  )

  test('whose making anew is killed is made again by the next run, and nothing is sent again', async () => {
    const scene = await storedScene()
    const folder = join(scene.library, '.lumina')
    harm(folder, 'catalog.db', (path) => rmSync(path))
    const killed = scene.start(['upload', scene.source, '--to', scene.library])
    // its lanes write beside a catalog that has begun
    const begun = (): boolean => (statSync(join(folder, 'catalog.db'), { throwIfNoEntry: false })?.size ?? 0) > 0
    await until('the catalog is being made', () => begun() && existsSync(join(folder, 'catalog.db-wal')))
    killed.kill('SIGKILL')
    await killed.ended
    // under their old names they would be found by these
    renameSync(scene.source, `${scene.source}-2`)
    mkdirSync(scene.source)
    renameSync(`${scene.source}-2`, join(scene.source, 'moved'))
    const ran = await scene.upload()
    expect(ran.summary).toMatchObject({ found: files, uploaded: 0, failed: 0 })
    expect(ran.stderr).toContain('made again')
    expect((await scene.upload()).stderr).not.toContain('made again')
  })

  test('damage that only shows itself in mid-run ends the run with one clear line; the next makes it again and sends nothing twice', async () => {
    const scene = await storedScene()
    rmSync(scene.state, { recursive: true })
    harm(join(scene.library, '.lumina'), 'catalog.db', (path) => overwritePagesOf(path, 'object'))

    const verdict = await scene.verify()
    expect(verdict.code).toBe(1)
    expect(verdict.stderr).toMatch(/lumina: The catalog of the library is damaged\.\n {2}.*lumina index/)
    const dry = await scene.upload(['--dry-run'])
    expect(dry.stderr).toContain('The catalog of the library is damaged.')

    const met = await scene.upload()
    expect(met.code).toBe(1)
    expect(met.summary).toMatchObject({ uploaded: 0, ended: 'error' })
    expect(met.stderr).toMatch(
      /lumina: The catalog of the library was found damaged, and is set aside as .*\n {2}Run the same command again/,
    )
    expect(digestsIn(scene.library).size).toBe(files)
    await expectRebuilt(scene, /catalog of the library is missing/)
  })

  test('an index run that meets the damage sets it aside too', async () => {
    const scene = await storedScene()
    harm(join(scene.library, '.lumina'), 'catalog.db', (path) => overwritePagesOf(path, 'object'))
    const met = await scene.run(['index', scene.library])
    expect(met.stderr).toContain('set aside')
    expect((await scene.run(['index', scene.library])).code).toBe(0)
    expect((await scene.verify()).code).toBe(0)
  })

  test('of a newer Lumina: left alone, with one clear line', async () => {
    const scene = await storedScene()
    newer(join(scene.library, '.lumina', 'catalog.db'))
    const { code, stderr } = await scene.upload()
    expect(code).toBe(2)
    expect(stderr).toMatch(/^lumina: .* newer Lumina/)
    expect(stderr).toContain('Update Lumina')
    expect(existsSync(join(scene.library, '.lumina', 'catalog.db'))).toBe(true)
  })
})

/** Fills the pages of a table and its indexes, but not their roots, with noise. */
function overwritePagesOf(path: string, table: string): void {
  const db = new DatabaseSync(path)
  const roots = new Set(
    db
      .prepare('SELECT rootpage FROM sqlite_schema')
      .all()
      .map(({ rootpage }) => Number(rootpage)),
  )
  const names = db
    .prepare('SELECT name FROM sqlite_schema WHERE tbl_name=?')
    .all(table)
    .map(({ name }) => String(name))
  const pagesOf = db.prepare('SELECT pageno FROM dbstat WHERE name=?')
  const pages = names.flatMap((name) => pagesOf.all(name).map(({ pageno }) => Number(pageno)))
  const pageBytes = Number(db.prepare('PRAGMA page_size').get()?.['page_size'])
  db.close()
  const content = readFileSync(path)
  for (const page of pages.filter((each) => each > 1 && !roots.has(each))) {
    noise(page, pageBytes).copy(content, (page - 1) * pageBytes)
  }
  writeFileSync(path, content)
}

function newer(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version=999')
  db.close()
}
