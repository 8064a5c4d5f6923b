import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { LuminaError, systemCode } from '../../../errors.ts'
import { failure } from '../../failure.ts'
import { makeFolders } from './make-folders.ts'

/** What lies in a library's `.lumina` folder. */
export interface Library {
  root: string
  /** For ever the same, wherever its disk is mounted. */
  id: string
  /** It was made by this call. */
  created: boolean
  catalogPath: string
  logPath: string
}

const systemFolder = '.lumina'
const formatVersion = 1

export function systemPath(root: string, ...below: string[]): string {
  return join(root, systemFolder, ...below)
}

/** The id of the library at `root`, or undefined where there is none. */
export function libraryId(root: string): string | undefined {
  let text: string
  try {
    text = readFileSync(systemPath(root, 'library.json'), 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw failure(error, systemPath(root, 'library.json'))
  }
  const { id, format } = parse(text, root)
  if (format > formatVersion) {
    throw new LuminaError('state-newer', `The library ${root} was made by a newer Lumina.`, { hint: 'Update Lumina.' })
  }
  return id
}

function parse(text: string, root: string): { id: string; format: number } {
  try {
    const { id, format } = JSON.parse(text) as { id?: unknown; format?: unknown }
    if (typeof id === 'string' && typeof format === 'number') return { id, format }
  } catch {
    // told below, with what to do
  }
  throw new LuminaError('destination-refused', `${systemPath(root, 'library.json')} is damaged.`, {
    hint: 'Remove that one file and run `lumina index` on the library: the photos themselves are not touched.',
  })
}

/** Opens the library at `root` for a run, making what is missing of it. Two processes that make one at once get the same. */
export function openLibrary(root: string, holder: string): Library {
  try {
    makeFolders(systemPath(root, 'tmp', holder))
    const known = libraryId(root)
    const id = known ?? makeId(root)
    return {
      root,
      id,
      created: known === undefined,
      catalogPath: systemPath(root, 'catalog.db'),
      logPath: systemPath(root, 'catalog.ndjson'),
    }
  } catch (error) {
    throw failure(error, root)
  }
}

function makeId(root: string): string {
  const path = systemPath(root, 'library.json')
  const temp = systemPath(root, 'tmp', `library-${process.pid}.json`)
  const library = { id: crypto.randomUUID(), format: formatVersion, created: new Date().toISOString() }
  writeFileSync(temp, `${JSON.stringify(library)}\n`)
  try {
    linkSync(temp, path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') writeFileSync(path, readFileSync(temp), { flag: 'wx' })
  } finally {
    rmSync(temp, { force: true })
  }
  return libraryId(root) as string
}

/** Puts a damaged catalog out of the way; returns where it is now. */
export function setCatalogAside(catalogPath: string): string {
  const aside = `${catalogPath}.damaged-${Date.now()}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(catalogPath + suffix)) renameSync(catalogPath + suffix, aside + suffix)
  }
  return aside
}
