import { accessSync, constants, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { existingLedger, type Ledger } from '../../state/ledger.ts'
import { Volumes } from '../../state/volume.ts'
import { type Finding, note, ok, problem } from './finding.ts'

/** Whether the folder of this machine's memory can do its work. It is not made here. */
export function checkState(folder: string): Finding[] {
  const there = existing(folder)
  try {
    tryWriting(there, there === folder)
  } catch (error) {
    return [
      problem(
        'state',
        `the state folder ${folder} cannot be written: ${(error as Error).message}`,
        'make it writable, or name another with --state',
      ),
    ]
  }
  const volume = new Volumes().at(realpathSync(there))
  if (!volume.local) {
    const hint = 'name a folder on a disk of this machine with --state: locks and memory maps are not safe elsewhere'
    return [
      problem(
        'state',
        `the state folder ${folder} is on ${volume.type}, which is no file system of this machine`,
        hint,
      ),
    ]
  }
  return [ok('state', `state folder ${folder}${there === folder ? '' : ', not made yet'} (${volume.type})`)]
}

/** The folder itself, or the next one above it that is there. */
export function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path))
}

/** In a folder that is ours a file is made and removed; in one above it, where it would be made, the permission is asked for. */
function tryWriting(folder: string, isOurs: boolean): void {
  if (isOurs) rmSync(mkdtempSync(join(folder, '.doctor-')), { recursive: true })
  else accessSync(folder, constants.W_OK | constants.X_OK)
}

/** Opens the ledger for `look`, if there is one; a damaged one is set aside by that, and told. */
export function withLedger(stateDir: string, look: (ledger: Ledger) => Finding[]): Finding[] {
  const ledger = existingLedger(stateDir)
  if (ledger === undefined) return []
  try {
    const findings = look(ledger)
    const { setAside } = ledger
    return setAside === undefined
      ? findings
      : [
          ...findings,
          note(
            'ledger',
            `the ledger was damaged and is set aside as ${setAside}`,
            'the next upload reads every file once more; nothing is sent again',
          ),
        ]
  } finally {
    ledger.close()
  }
}
