import { realpathSync } from 'node:fs'
import { dirname, join, relative, resolve, sep, basename, isAbsolute } from 'node:path'

import { LuminaError } from '../errors.ts'
import { isDestinationName, isUrl } from './values.ts'

/**
 * Where a project's file may send photos to: a folder inside the project, or a destination that the user has named. A folder can come
 * from anyone, with a file in it that says `"to": "s3://their-bucket"`; it must not be enough to stand in it.
 * @returns the destination, as an absolute path where it is a folder.
 */
export function projectDestination(to: string, file: string, destinations: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(destinations, to) || Object.values(destinations).includes(to)) return to
  const folder = dirname(file)
  const path = resolve(folder, to)
  if (!isUrl(to) && !isDestinationName(to) && isInside(realPath(path), realPath(folder))) return path
  throw new LuminaError('config', `${file}: "to" leads out of its folder, and anyone may have written it`, {
    hint: 'say --to yourself, or name the place once for this user: lumina config set destinations.<name> <destination>, then "to": "<name>"',
  })
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** With links resolved as far as the path exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return dirname(path) === path ? path : join(realPath(dirname(path)), basename(path))
  }
}
