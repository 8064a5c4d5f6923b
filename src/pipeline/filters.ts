import { readFileSync, statSync } from 'node:fs'

import ignore, { type Ignore } from 'ignore'
import picomatch from 'picomatch'

import { systemCode } from '../errors.ts'
import { osPath } from '../os-path.ts'
import type { FilterOptions } from './options.ts'

/** What operating systems, cameras' cards and NAS boxes leave beside photos; compared in lower case. */
const litter = new Set([
  '.ds_store',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '@eadir',
  '#recycle',
  '.lumina',
  '.luminaignore',
  '.spotlight-v100',
  '.trashes',
  '.trash',
  '.fseventsd',
  '.temporaryitems',
  '.documentrevisions-v100',
  '.appledouble',
  '.appledb',
  '.appledesktop',
  '.nomedia',
  '.picasa.ini',
  '.thumbnails',
  '.directory',
  'system volume information',
  '$recycle.bin',
  'lost.dir',
  'lost+found',
  'android_secure',
])

/** `._IMG_1.jpg` holds what macOS could not store in the file itself: never a picture. */
export function isLitter(name: string): boolean {
  return name.startsWith('._') || litter.has(name.toLowerCase())
}

/** Patterns of one `.luminaignore`, for everything below the folder that holds it. */
export interface IgnoreFile {
  /** That folder, below the source; '' for the source itself. */
  dir: string
  lines: string
}

export const ignoreFileName = '.luminaignore'

/** The patterns that hold inside `folder`, with its own `.luminaignore` if it has one. */
export function withIgnoreFile(folder: string, dir: string, inherited: readonly IgnoreFile[]): readonly IgnoreFile[] {
  const path = osPath(`${folder}/${ignoreFileName}`)
  try {
    // a FIFO of that name would hold the walk for ever
    if (!statSync(path).isFile()) return inherited
    return [...inherited, { dir, lines: readFileSync(path, 'utf8') }]
  } catch (error) {
    // one that can't be read excludes nothing: the careful side, since excluded files are not stored
    if (systemCode(error) === undefined) throw error
    return inherited
  }
}

export interface Filters {
  /** Whether anything depends on names at all, so that the walk may skip asking. */
  readonly byName: boolean
  readonly byStat: boolean
  /** `path` is below the source and `/`-separated; a folder that is not wanted is not entered. */
  wantsName(path: string, isFolder: boolean, ignores: readonly IgnoreFile[]): boolean
  wantsStat(bytes: number, mtimeMs: number): boolean
}

export function createFilters(options: FilterOptions): Filters {
  const include = matcher(options.include)
  const exclude = matcher(options.exclude)
  const ownLines = options.ignoreLines.length === 0 ? undefined : ignore().add([...options.ignoreLines])
  const compiled = new Map<string, Ignore>()
  const {
    minBytes = 0,
    maxBytes = Number.POSITIVE_INFINITY,
    sinceMs = Number.NEGATIVE_INFINITY,
    untilMs = Number.POSITIVE_INFINITY,
  } = options

  const ignoredBy = ({ dir, lines }: IgnoreFile, path: string): boolean | undefined => {
    let patterns = compiled.get(lines)
    if (!patterns) {
      patterns = ignore().add(lines)
      compiled.set(lines, patterns)
    }
    const below = dir === '' ? path : path.slice(dir.length + 1)
    const { ignored, unignored } = patterns.test(below)
    return ignored ? true : unignored ? false : undefined
  }

  return {
    byName: include !== undefined || exclude !== undefined || ownLines !== undefined,
    byStat:
      minBytes > 0 ||
      maxBytes < Number.POSITIVE_INFINITY ||
      sinceMs > Number.NEGATIVE_INFINITY ||
      untilMs < Number.POSITIVE_INFINITY,
    wantsName(path, isFolder, ignores) {
      const asked = isFolder ? `${path}/` : path
      if (exclude?.(path)) return false
      if (ownLines?.ignores(asked)) return false
      // as in git, the innermost file that says anything decides
      for (const file of ignores.toReversed()) {
        const verdict = ignoredBy(file, asked)
        if (verdict !== undefined) return !verdict
      }
      return isFolder || include === undefined || include(path)
    },
    wantsStat: (bytes, mtimeMs) => bytes >= minBytes && bytes <= maxBytes && mtimeMs >= sinceMs && mtimeMs <= untilMs,
  }
}

/** A pattern without a slash matches a name anywhere. Case does not count: cameras write `.JPG`, people type `*.jpg`. */
function matcher(patterns: readonly string[]): ((path: string) => boolean) | undefined {
  if (patterns.length === 0) return undefined
  const tests = patterns.map((pattern) =>
    picomatch(pattern.replace(/^\.?\//, '').replace(/\/$/, ''), {
      nocase: true,
      dot: true,
      basename: !/\/./.test(pattern),
    }),
  )
  return (path) => tests.some((test) => test(path))
}
