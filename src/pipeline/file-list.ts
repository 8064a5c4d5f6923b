import { dirname, basename, resolve } from 'node:path'

import { asText, fromText, nameOf } from '../os-path.ts'
import { Sqlite } from '../state/sqlite.ts'
import type { FolderTask } from './batch.ts'
import { slashed } from './sources.ts'

const namesATask = 1000
const newline = 10
const carriageReturn = 13

/**
 * The files that `--files-from` names: sorted by folder and each of them once, in a private file that SQLite removes by itself, so that a
 * list of millions costs no memory.
 */
export class FileList {
  readonly #sqlite = new Sqlite('', { cacheKiB: 1024 })

  private constructor() {
    this.#sqlite.db.exec('CREATE TABLE file (folder TEXT, name TEXT, PRIMARY KEY (folder, name)) WITHOUT ROWID')
  }

  /** Reads names that end with a line end, or with NUL; names are bytes, and relative ones lie below `cwd`. */
  static async read(input: AsyncIterable<Buffer>, nul: boolean, cwd: string): Promise<FileList> {
    const list = new FileList()
    const end = nul ? 0 : newline
    let rest = Buffer.alloc(0)
    for await (const chunk of input) {
      const bytes = Buffer.concat([rest, chunk])
      const last = bytes.lastIndexOf(end)
      list.#add(split(bytes.subarray(0, last + 1), end), nul, cwd)
      rest = bytes.subarray(last + 1)
    }
    list.#add([rest], nul, cwd)
    return list
  }

  #add(lines: readonly Buffer[], nul: boolean, cwd: string): void {
    const insert = this.#sqlite.prepare('INSERT OR IGNORE INTO file VALUES (?,?)')
    this.#sqlite.transaction(() => {
      for (const line of lines) {
        const name = nameOf(!nul && line.at(-1) === carriageReturn ? line.subarray(0, -1) : line)
        if (name === '') continue
        const path = slashed(resolve(cwd, name))
        insert.run(asText(dirname(path)), asText(basename(path)))
      }
    })
  }

  /** The folder that holds all of them, at whatever depth. */
  commonRoot(): string {
    // with its slash behind it, each: else `/a-b` would stand between `/a` and `/a/c`
    const sql = "SELECT min(folder || '/') FROM file UNION ALL SELECT max(folder || '/') FROM file"
    const ends = this.#sqlite.rows<[string | null]>(sql).map(([folder]) => folder ?? '/')
    const [first = '/', last = '/'] = ends.map(fromText)
    const ours = first.split('/')
    const theirs = last.split('/')
    let shared = 0
    while (shared < ours.length - 1 && ours[shared] === theirs[shared]) shared++
    return ours.slice(0, shared).join('/') || '/'
  }

  *tasks(): Generator<FolderTask> {
    const root = this.commonRoot()
    for (let folder = this.#folderAfter(''); folder !== undefined; folder = this.#folderAfter(folder)) {
      const path = fromText(folder)
      for (
        let names = this.#names(folder, '');
        names.length > 0;
        names = this.#names(folder, asText(names.at(-1) as string))
      ) {
        yield { path, dir: path.slice(root.length).replace(/^\//, ''), ignores: [], only: names }
      }
    }
  }

  #folderAfter(folder: string): string | undefined {
    return this.#sqlite.row<[string]>('SELECT folder FROM file WHERE folder > ? ORDER BY folder LIMIT 1', folder)?.[0]
  }

  #names(folder: string, after: string): string[] {
    const rows = this.#sqlite.rows<[string]>(
      'SELECT name FROM file WHERE folder=? AND name>? ORDER BY name LIMIT ?',
      folder,
      after,
      namesATask,
    )
    return rows.map(([name]) => fromText(name))
  }

  close(): void {
    this.#sqlite.close()
  }
}

function split(bytes: Buffer, end: number): Buffer[] {
  const parts: Buffer[] = []
  for (let start = 0, at = bytes.indexOf(end); at >= 0; start = at + 1, at = bytes.indexOf(end, start))
    parts.push(bytes.subarray(start, at))
  return parts
}
