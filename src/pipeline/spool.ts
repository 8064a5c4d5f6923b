import { opendirSync } from 'node:fs'

import { asText, fromText, nameOf, osPath } from '../os-path.ts'
import { Sqlite } from '../state/sqlite.ts'

/** Names read from the directory at once. */
const readAhead = 1024

/**
 * Sorts the names of folders that are too large for memory, in a private file that SQLite removes by itself: a million names
 * of one folder come back page by page, in order.
 */
export class Spool {
  #sqlite: Sqlite | undefined

  fill(folder: string): void {
    const sqlite = this.#open()
    const insert = sqlite.prepare('INSERT OR IGNORE INTO name VALUES (?,?)')
    const dir = opendirSync(osPath(folder), { bufferSize: readAhead, encoding: 'buffer' as BufferEncoding })
    try {
      sqlite.transaction(() => {
        sqlite.run('DELETE FROM name WHERE folder=?', asText(folder))
        for (let entry = dir.readSync(); entry; entry = dir.readSync()) {
          insert.run(asText(folder), asText(nameOf(entry.name as unknown as Buffer)))
        }
      })
    } finally {
      dir.closeSync()
    }
  }

  /** Up to `limit` names after `after`, in the order of their bytes. */
  page(folder: string, after: string, limit: number): string[] {
    const rows = this.#open().rows<[string]>(
      'SELECT name FROM name WHERE folder=? AND name>? ORDER BY name LIMIT ?',
      asText(folder),
      asText(after),
      limit,
    )
    if (rows.length < limit) this.#open().run('DELETE FROM name WHERE folder=?', asText(folder))
    return rows.map(([name]) => fromText(name))
  }

  #open(): Sqlite {
    if (!this.#sqlite) {
      // an empty name: https://sqlite.org/inmemorydb.html#temp_db
      this.#sqlite = new Sqlite('', { cacheKiB: 1024 })
      this.#sqlite.db.exec('CREATE TABLE name (folder TEXT, name TEXT, PRIMARY KEY (folder, name)) WITHOUT ROWID')
    }
    return this.#sqlite
  }

  close(): void {
    this.#sqlite?.close()
  }
}
