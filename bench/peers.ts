import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Contender, Trial } from './contender.ts'
import type { Dataset } from './datasets.ts'
import { prepare, type Command } from './measure.ts'
import { filesIn, missingFrom, treeOf } from './tree.ts'
import { cores, type Surroundings } from './workbench.ts'

// What is said of a peer was read off a trace of its system calls (rclone 1.60, restic 0.14, rsync 3.5, coreutils 9).
// All of them run with their defaults.

type CopyTool = 'rclone' | 'rsync' | 'cp'

interface Copier {
  readonly name: string
  readonly besides: string
  readonly command: (source: string, destination: string) => Command
}

const copiers: Readonly<Record<CopyTool, Copier>> = {
  rclone: {
    name: 'rclone copy',
    besides:
      'MD5 on the way; writes under the final name, no fsync, no catalog: the same content twice is stored twice',
    command: rcloneCopy,
  },
  rsync: {
    name: 'rsync -a',
    besides: 'a fast checksum (xxh128) on the way, temp file and rename; no fsync, no catalog',
    command: (source, destination) => ({ program: 'rsync', args: ['-a', `${source}/`, `${destination}/`] }),
  },
  cp: {
    name: 'cp -r',
    besides: 'the kernel copies (copy_file_range); no digest, no fsync, no temp file, mtime not kept',
    command: (source, destination) => ({ program: 'cp', args: ['-r', source, destination] }),
  },
}

// No config file: not the person's own, and no notice that there is none.
function rcloneCopy(source: string, destination: string): Command {
  return { program: 'rclone', args: ['copy', '-q', '--config', '', source, destination] }
}

/** A first copy into a new folder. */
export function firstCopy(tool: CopyTool, source: Dataset): Contender {
  const { name, besides, command } = copiers[tool]
  const trial = async (room: string): Promise<Trial> => {
    const copy = join(room, 'copy')
    return { command: command(source.path, copy), fault: () => missingFrom(treeOf(copy), source) }
  }
  return { name, besides, trial }
}

/** The copy, and then what makes it as durable as a library: the whole file system written out. */
export function firstCopySynced(source: Dataset): Contender {
  const trial = async (room: string): Promise<Trial> => {
    const copy = join(room, 'copy')
    const { program, args } = rcloneCopy(source.path, copy)
    const script = 'copy=$1; shift; "$@" && sync -f "$copy"'
    const command = { program: 'sh', args: ['-c', script, 'sh', copy, program, ...args] }
    return { command, fault: () => missingFrom(treeOf(copy), source) }
  }
  return { name: 'rclone copy; sync -f', besides: 'the same, written out once at the end', trial }
}

/** A copy over what is there already; the first one happens here, untimed. */
export async function repeatedCopy(source: Dataset, room: string, around: Surroundings): Promise<Contender> {
  const copy = join(room, 'copy')
  const command = rcloneCopy(source.path, copy)
  await prepare(command, { room, home: around.home })
  const before = treeOf(copy)
  const fault = (): string | undefined => {
    const after = treeOf(copy)
    return missingFrom(after, source) ?? (after.changedMs > before.changedMs ? 'it wrote a file again' : undefined)
  }
  const besides = 'lists both sides, compares size and mtime; keeps no state'
  return { name: 'rclone copy, again', besides, trial: async () => ({ command, fault }) }
}

/** A dry run over what is there already; the first copy happens here, untimed. */
export async function rsyncDryRun(source: Dataset, room: string, around: Surroundings): Promise<Contender> {
  const copy = join(room, 'copy')
  await prepare(copiers.rsync.command(source.path, copy), { room, home: around.home })
  const command = { program: 'rsync', args: ['-an', `${source.path}/`, `${copy}/`] }
  const besides = 'three processes; lists both sides, compares size and mtime; only says what it would do'
  return { name: 'rsync -an', besides, trial: async () => ({ command }) }
}

/** Nothing but a walk with a stat of every file: whoever looks at each file can't be faster. */
export function findPrintf(source: Dataset): Contender {
  const command = { program: 'find', args: [source.path, '-type', 'f', '-printf', '%p %s %T@ %C@ %i\\n'] }
  const besides = 'only walks and stats the source: the limit, not a peer'
  return { name: 'find -printf', besides, trial: async () => ({ command }) }
}

/** A first backup into a new repository. */
export function resticBackup(source: Dataset): Contender {
  const trial = async (room: string, { home }: Surroundings): Promise<Trial> => {
    const restic = (...args: string[]): Command => ({
      program: 'restic',
      args: ['-q', '--repo', join(room, 'repository'), '--cache-dir', join(room, 'cache'), ...args],
      // It gathers its packs in temporary files: those too lie where the repository lies.
      env: { RESTIC_PASSWORD: 'bench', TMPDIR: room },
    })
    await prepare(restic('init'), { room, home })
    return { command: restic('backup', source.path), fault: () => tooSmall(join(room, 'repository'), source) }
  }
  const besides =
    'splits into chunks, SHA-256, compresses, encrypts, fsyncs its packs; derives a key first (about 0.5 s)'
  return { name: 'restic backup', besides, trial }
}

// Random bytes don't compress: a complete backup is as large as its source.
function tooSmall(repository: string, source: Dataset): string | undefined {
  const { bytes } = treeOf(repository)
  return bytes < source.bytes ? `the repository has ${bytes} bytes, the source ${source.bytes}` : undefined
}

/** The digests alone, on one core, as if they spread perfectly over all of them. */
export function opensslDigest(source: Dataset): Contender {
  const command = { program: 'openssl', args: ['dgst', '-sha256', ...filesIn(source.path)] }
  const besides = `only reads and hashes, in one process; its wall time is divided by the ${cores} cores`
  return { name: `openssl dgst ÷ ${cores}`, besides, trial: async () => ({ command, idealCores: cores }) }
}

const found = new Map<string, boolean>()

export function isInstalled(tool: string): boolean {
  const known = found.get(tool)
  if (known !== undefined) return known
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '')
  const answer = folders.some((folder) => namesIn(folder).includes(tool))
  found.set(tool, answer)
  return answer
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
