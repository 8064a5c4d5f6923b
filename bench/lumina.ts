import { join } from 'node:path'

import type { Contender, Trial } from './contender.ts'
import type { Dataset } from './datasets.ts'
import { prepare, type Command } from './measure.ts'
import { missingFrom, treeOf } from './tree.ts'
import type { Surroundings } from './workbench.ts'

interface UploadPaths {
  readonly source: string
  readonly library: string
  readonly state: string
}

const ownFolder = '.lumina'
const besides = 'SHA-256 of every file, one copy a content, fsync and no-clobber publish, catalog and ledger'

/** The library and the state lie beside each other: on one kind of file system. */
function pathsIn(room: string, source: string): UploadPaths {
  return { source, library: join(room, 'library'), state: join(room, 'state') }
}

export function luminaCommand(program: string, args: readonly string[]): Command {
  return { program: process.execPath, args: [program, ...args] }
}

function uploadCommand(program: string, paths: UploadPaths, more: readonly string[] = []): Command {
  const { source, library, state } = paths
  const quiet = ['--no-progress', '-q']
  return luminaCommand(program, ['upload', source, '--to', library, '--state', state, ...quiet, ...more])
}

/** A first run into a new library with a new ledger. */
export function firstUpload(program: string, source: Dataset, more: readonly string[] = []): Contender {
  return {
    name: 'lumina upload',
    besides,
    trial: async (room) => firstUploadTrial(program, source, pathsIn(room, source.path), more),
  }
}

function firstUploadTrial(program: string, source: Dataset, paths: UploadPaths, more: readonly string[]): Trial {
  const command = uploadCommand(program, paths, more)
  return { command, fault: () => missingFrom(treeOf(paths.library, ownFolder), source) }
}

/** A run over what is stored already; the first upload happens here, untimed. */
export async function repeatedUpload(
  program: string,
  source: Dataset,
  room: string,
  around: Surroundings,
): Promise<Contender> {
  const paths = pathsIn(room, source.path)
  const command = uploadCommand(program, paths)
  await prepare(command, { room, home: around.home })
  const before = treeOf(paths.library, ownFolder)
  const fault = (): string | undefined => {
    const after = treeOf(paths.library, ownFolder)
    return missingFrom(after, source) ?? (after.changedMs > before.changedMs ? 'it wrote a file again' : undefined)
  }
  return { name: 'lumina upload, again', besides, trial: async () => ({ command, fault }) }
}
