import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

import { catalogIdAt, type LocalTarget, parseTarget } from '../../client/open.ts'
import type { Config } from '../../config.ts'
import { systemCode } from '../../errors.ts'
import type { Io } from '../../report/io.ts'
import { formatBytes, plural } from '../../report/units.ts'
import type { Ledger } from '../../state/ledger.ts'
import { Volumes } from '../../state/volume.ts'
import { destinationOf } from '../destination-of.ts'
import { surroundingsOf } from '../places.ts'
import { checkFileClock } from './clock.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import { existing, withLedger } from './state.ts'
import { leftovers, type Leftover, sweep } from './temps.ts'

/** Less is gone before a card is read. */
const littleBytes = 1e9

/** Whether the destination takes photos, and what an earlier run left there. */
export async function checkDestination(config: Config, io: Io): Promise<Finding[]> {
  if (config.to === undefined)
    return [
      note(
        'destination',
        'nothing says where to upload to',
        'say --to, or once for all: lumina config set to <destination>',
      ),
    ]
  const target = parseTarget(await destinationOf(config, io), surroundingsOf(config, io))
  return target.kind === 'local'
    ? checkLibrary(target, config, io)
    : (await import('./service.ts')).checkService(target, config, io)
}

function checkLibrary(target: LocalTarget, config: Config, io: Io): Finding[] {
  const identity = withLedger(config.state, (ledger) => checkIdentity(target, ledger))
  if (!existsSync(target.root)) return [...identity, ...checkMaking(target.root)]
  if (!statSync(target.root).isDirectory())
    return [problem('destination', `${target.root} is no folder`, 'name a folder')]
  const id = catalogIdAt(target)
  return [
    ...identity,
    ...checkWriting(target.root, id !== undefined, io),
    checkSpace(target.root),
    ...checkLeftovers(leftovers(target.root), config.sweep),
  ]
}

function checkMaking(root: string): Finding[] {
  const above = existing(root)
  try {
    accessSync(above, constants.W_OK | constants.X_OK)
  } catch (error) {
    return [
      problem('destination', `${root} is not there and cannot be made: ${(error as Error).message}`, hintFor(error)),
    ]
  }
  return [ok('destination', `${root} is not there yet; the first upload makes it`), checkSpace(above)]
}

/** An unmounted disk leaves an empty folder behind, which looks like a place for a new library. */
function checkIdentity(target: LocalTarget, ledger: Ledger): Finding[] {
  const remembered = ledger.catalogAt(target.url)
  if (remembered === undefined || remembered.id === catalogIdAt(target)) return []
  return [
    problem(
      'library',
      `${target.root} does not hold the library that this machine knows`,
      'is its disk mounted? If the library is gone for good: upload with --new-library',
    ),
  ]
}

/** Writes, links and removes a file, as an upload does. */
function checkWriting(root: string, isLibrary: boolean, io: Io): Finding[] {
  const what = isLibrary ? 'library' : 'folder without a library yet'
  const { type, local } = new Volumes().at(root)
  const probe = join(root, isLibrary ? '.lumina' : '', `.doctor-${process.pid}`)
  const link = `${probe}-link`
  try {
    const fd = openSync(probe, 'wx')
    writeSync(fd, 'x')
    const { mtimeMs } = fstatSync(fd)
    closeSync(fd)
    return [
      ok('destination', `${root}: ${what}, writable (${type}${local ? '' : ', not of this machine'})`),
      ...checkLink(probe, link),
      ...checkFileClock(io.now(), mtimeMs),
    ]
  } catch (error) {
    return [problem('destination', `${root} cannot be written: ${(error as Error).message}`, hintFor(error))]
  } finally {
    for (const path of [probe, link]) rmSync(path, { force: true })
  }
}

function checkLink(probe: string, link: string): Finding[] {
  try {
    linkSync(probe, link)
    return []
  } catch {
    return [
      note(
        'hard-links',
        'the file system of the destination has no hard links',
        'let no other program write into the library while Lumina does',
      ),
    ]
  }
}

function hintFor(error: unknown): string {
  switch (systemCode(error)) {
    case 'EROFS':
      return 'it is mounted read-only: mount it anew'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free some space'
    default:
      return 'give this user the right to write there'
  }
}

function checkSpace(folder: string): Finding {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  if (free >= littleBytes) return ok('space', `${formatBytes(free)} free`)
  return note('space', `only ${formatBytes(free)} free`, 'free some space before a large upload')
}

function checkLeftovers(left: readonly Leftover[], sweeping: boolean): Finding[] {
  const held = left.filter((each) => each.held)
  const loose = left.filter((each) => !each.held)
  const gone = sweeping ? sweep(loose) : []
  return [
    ...(held.length === 0 ? [] : [ok('temps', `${plural(held.length, 'run')} under way there`)]),
    ...(gone.length === 0 ? [] : [ok('temps', `${amountOf(gone)} removed`)]),
    ...(loose.length === gone.length
      ? []
      : [
          note(
            'temps',
            `${amountOf(loose)} of runs that ended early`,
            'the same upload goes on with it; --sweep removes it',
          ),
        ]),
  ]
}

function amountOf(left: readonly Leftover[]): string {
  const files = left.reduce((sum, each) => sum + each.files.length, 0)
  return `${plural(files, 'temporary file')} (${formatBytes(left.reduce((sum, { bytes }) => sum + bytes, 0))})`
}
