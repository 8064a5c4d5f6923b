import { existsSync, readFileSync, statSync, type Stats } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, parse } from 'node:path'

import { LuminaError, systemCode } from '../errors.ts'
import { positionOfFault } from './json-fault.ts'

const projectFileName = 'lumina.config.json'

/** Larger files are no settings. */
const maxBytes = 1 << 20

export interface ConfigFile {
  readonly from: 'project' | 'user'
  readonly path: string
  readonly text: string
  readonly json: unknown
}

/** A project file that is there and does not count, with the reason. */
export interface Ignored {
  readonly path: string
  readonly reason: string
}

/** The user's own file; a missing one is none. */
export function readUserFile(path: string): ConfigFile | undefined {
  return read('user', path)
}

/**
 * The project file of `cwd`: in it, or in the next folder upwards, as far as the root of a git checkout or the home folder. One that
 * belongs to another user is ignored: in a shared folder such as /tmp, anyone may have put it above us
 * (https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory).
 */
export function readProjectFile(cwd: string): ConfigFile | Ignored | undefined {
  const path = findUpwards(cwd)
  if (path === undefined) return undefined
  const owner = statSync(path).uid
  const isForeign = process.getuid !== undefined && owner !== process.getuid() && owner !== 0
  return isForeign ? { path, reason: 'it belongs to another user' } : read('project', path)
}

function findUpwards(cwd: string): string | undefined {
  const home = homedir()
  for (let folder = cwd; ; folder = dirname(folder)) {
    const path = join(folder, projectFileName)
    if (statOf(path)?.isFile()) return path
    if (folder === home || folder === parse(folder).root || existsSync(join(folder, '.git'))) return undefined
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

function read(from: ConfigFile['from'], path: string): ConfigFile | undefined {
  const text = textOf(path)
  if (text === undefined) return undefined
  return { from, path, text, json: parsed(path, text) }
}

function textOf(path: string): string | undefined {
  try {
    const { size } = statSync(path)
    if (size > maxBytes) throw new LuminaError('config', `${path} is too large for a settings file (${size} bytes)`)
    // Windows editors begin UTF-8 with a byte order mark, which is no JSON.
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    if (error instanceof LuminaError) throw error
    throw new LuminaError('config', `${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** The message of `JSON.parse` is not passed on: it quotes the file, and a file may hold what should not be quoted. */
function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const where = place(text, positionOfFault(text, error as Error))
    throw new LuminaError('config', `${path}:${where} is not JSON`, {
      hint: 'mend that place, or move the file away and set what is needed with `lumina config set`',
    })
  }
}

/** `line:column`, both from 1. */
function place(text: string, position: number): string {
  const before = text.slice(0, position).split('\n')
  return `${before.length}:${(before.at(-1) as string).length + 1}`
}

/** `path:line:column` of a key, for messages about its value. */
export function placeOfKey(file: ConfigFile, key: string): string {
  const position = file.text.indexOf(JSON.stringify(key))
  return position < 0 ? file.path : `${file.path}:${place(file.text, position)}`
}
