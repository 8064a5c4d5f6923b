import { lstatSync, realpathSync, statSync, type Stats } from 'node:fs'
import { basename, dirname, resolve, sep } from 'node:path'

import { LuminaError, systemCode } from '../errors.ts'
import { osPath } from '../os-path.ts'
import type { FolderTask } from './batch.ts'

export interface Sources {
  tasks: Iterable<FolderTask>
  /** Absolute, without links, sorted: the same for the same sources, however they were written. */
  roots: readonly string[]
}

/**
 * What the arguments name. A path given twice, or inside another, counts once.
 * @throws `no-such-path`
 */
export function sourcesOf(paths: readonly string[], cwd: string): Sources {
  const found = paths.map((path) => look(path, cwd))
  const folders = found.filter(({ isFolder }) => isFolder).map(({ path }) => path)
  const outermost = [...new Set(folders)].filter(
    (path) => !folders.some((other) => other !== path && isInside(path, other)),
  )
  const files = [...new Set(found.filter(({ isFolder }) => !isFolder).map(({ path }) => path))]
  const loose = files.filter((path) => !outermost.some((folder) => isInside(path, folder)))
  return {
    tasks: [...outermost.map((path): FolderTask => ({ path, dir: '', ignores: [] })), ...fileTasks(loose)],
    roots: [...outermost, ...loose].toSorted(),
  }
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** Tasks and, on Windows too, keys are written with `/`. */
export function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/')
}

/** A link that somebody names is meant to be followed, unlike one that is found. */
function look(path: string, cwd: string): { path: string; isFolder: boolean } {
  const absolute = resolve(cwd, path)
  const stats = statsOf(absolute, path)
  if (stats.isDirectory()) return { path: slashed(realpathSync(osPath(absolute))), isFolder: true }
  return { path: slashed(resolve(realpathSync(dirname(absolute)), basename(absolute))), isFolder: false }
}

function statsOf(absolute: string, path: string): Stats {
  try {
    return statSync(osPath(absolute))
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && lstatSync(osPath(absolute), { throwIfNoEntry: false })) {
      throw new LuminaError('no-such-path', `${path} is a link that leads nowhere.`)
    }
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') {
      throw new LuminaError('no-such-path', `There is no ${path}.`, {
        hint: 'Check the spelling, and whether the card or disk is mounted.',
      })
    }
    throw new LuminaError('unreadable', `${path} can't be looked at (${systemCode(error) ?? 'unknown'}).`, {
      cause: error,
      hint: 'Check its permissions.',
    })
  }
}

function fileTasks(files: readonly string[]): FolderTask[] {
  const byFolder = Map.groupBy(files, (path) => dirname(path))
  return [...byFolder].map(([path, members]) => ({
    path,
    dir: '',
    ignores: [],
    only: members.map((member) => basename(member)).toSorted(),
  }))
}
