import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Place, Target } from '../client/open.ts'
import type { Config } from '../config.ts'
import { LuminaError, systemCode } from '../errors.ts'
import type { FilterOptions, PipelineOptions, Task } from '../pipeline/options.ts'
import { FileList } from '../pipeline/file-list.ts'
import { isInside, slashed, sourcesOf, type Sources } from '../pipeline/sources.ts'
import type { Io } from '../report/io.ts'
import { tryLock, type Lock } from '../state/lock.ts'

/** More lanes than this only wait for each other on one disk; `--concurrency` may say otherwise. */
const mostLanes = 8
const lockPollMs = 200

/** At a library, a lane is what is under way at once; at a service, a lane has many transfers in flight. */
export function lanesFor(config: Config, { kind }: Pick<Place, 'kind'>): number {
  return kind === 'local' ? (config.concurrency ?? usualLanes()) : usualLanes()
}

export function usualLanes(): number {
  return Math.min(availableParallelism(), mostLanes)
}

/** What the arguments and `--files-from` name. */
export async function openSources(config: Config, paths: readonly string[], io: Io): Promise<Sources> {
  const named = sourcesOf(paths, io.cwd)
  if (config.filesFrom === undefined) return named
  const input = config.filesFrom === '-' ? io.stdin : createReadStream(resolve(io.cwd, config.filesFrom))
  try {
    const list = await FileList.read(input as AsyncIterable<Buffer>, config.nul, io.cwd)
    return { roots: [...named.roots, `list of ${config.filesFrom}`], tasks: concat(named.tasks, list.tasks()) }
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    throw new LuminaError('usage', `The list ${config.filesFrom} can't be read (${systemCode(error)}).`, {
      cause: error,
    })
  }
}

function* concat<T>(first: Iterable<T>, second: Iterable<T>): Generator<T> {
  yield* first
  yield* second
}

/** @throws `usage` when the sources lie in the library; a library in a source is left out of the walk instead. */
export function refuseSourceInLibrary({ roots }: Sources, target: Target): void {
  if (target.kind !== 'local') return
  const inside = roots.find((root) => isInside(root, slashed(target.root)))
  if (inside === undefined) return
  throw new LuminaError('usage', `The source ${inside} lies in the library ${target.root}.`, {
    hint: 'What is in a library already is taken into its catalog by: lumina index <library>',
  })
}

/** Whether to wipe a source would wipe the library with it. */
export function holdsLibrary({ roots }: Sources, target: Target): boolean {
  return target.kind === 'local' && roots.some((root) => isInside(slashed(target.root), root))
}

export function pipelineOptions(task: Task, config: Config, place: Place, detail: boolean): PipelineOptions {
  const { layout, prefix, onCollision, allFiles, followSymlinks, rehash, dryRun, quick } = config
  return {
    task,
    layout,
    prefix: prefixOf(place, prefix),
    keepsNotes: place.kind === 'remote' || place.postgres !== undefined,
    digestInNames: place.kind === 'remote' && place.catalog.kind === 'segments',
    onCollision,
    allFiles,
    followSymlinks,
    rehash,
    dryRun,
    quick,
    detail,
    filters: filterOptions(config, place),
  }
}

/** At a service, the prefix of `supabase://bucket/prefix` stands before whatever else is asked for. */
function prefixOf(place: Place, asked = ''): string {
  const own = place.kind === 'remote' ? place.target.prefix : ''
  return [own, asked].filter((part) => part !== '').join('/')
}

function filterOptions(config: Config, place: Place): FilterOptions {
  const { include, exclude, excludeFrom, minSize, maxSize, since, until, takenSince, takenUntil } = config
  return {
    include,
    exclude,
    ignoreLines: excludeFrom.flatMap(linesOf),
    skipFolders: place.kind === 'local' ? [slashed(place.target.root)] : [],
    ...(minSize === undefined ? {} : { minBytes: minSize }),
    ...(maxSize === undefined ? {} : { maxBytes: maxSize }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(takenSince === undefined ? {} : { takenSinceMs: takenSince }),
    ...(takenUntil === undefined ? {} : { takenUntilMs: takenUntil }),
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)
  } catch (error) {
    throw new LuminaError(
      'usage',
      `The file of --exclude-from can't be read: ${file} (${systemCode(error) ?? 'unknown'}).`,
      { cause: error },
    )
  }
}

/**
 * Names a run after its machine, sources and destination: started again, it finds what it left; at most one of a name runs at a time.
 */
export function holderOf(stateDir: string, { roots }: Pick<Sources, 'roots'>, target: Target): string {
  const identity = JSON.stringify([machineId(stateDir), roots, target.url])
  return createHash('sha256').update(identity).digest('hex').slice(0, 16)
}

function machineId(stateDir: string): string {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const path = join(stateDir, 'machine-id')
  try {
    writeFileSync(path, `${randomUUID()}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8').trim()
}

/** @throws `lock-held` unless `--wait` */
export async function lockRun(config: Config, holder: string, io: Io): Promise<Lock> {
  const path = join(config.state, 'locks', `${holder}.lock`)
  for (let said = false; ; said = true) {
    const lock = tryLock(path)
    if (lock) return lock
    if (!config.wait) {
      throw new LuminaError('lock-held', 'Another run has the same source and destination.', {
        hint: 'Let it finish, or use --wait.',
      })
    }
    if (!said && !config.quiet) io.stderr.write('Waiting for another run of the same source and destination.\n')
    await sleep(lockPollMs)
  }
}

/** A folder for this machine's state that can be used. @throws `config` */
export function checkStateDir(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new LuminaError('config', `The state folder ${stateDir} can't be made (${systemCode(error) ?? 'unknown'}).`, {
      cause: error,
      hint: 'Name another with --state.',
    })
  }
}
