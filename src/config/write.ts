import { basename, dirname } from 'node:path'

import type { Raw } from './schema.ts'

/** What the user's file may be told; `destinations.<name>` is one key. */
export type WritableKey = string

/**
 * Changes the user's file, for this user's eyes only (0600), in one step, so that no reader ever sees half of it. The caller has
 * checked key and value, and that the file is valid.
 */
export async function writeUserFile(
  userFile: string,
  change: { set: WritableKey; value: Raw } | { unset: WritableKey },
): Promise<void> {
  // 100 ms to load: only here, where something is written.
  const { default: Conf } = await import('conf')
  const file = basename(userFile)
  const conf = new Conf<Record<string, unknown>>({
    projectName: 'lumina',
    projectSuffix: '',
    cwd: dirname(userFile),
    configName: file.slice(0, file.lastIndexOf('.')),
    configFileMode: 0o600,
    clearInvalidConfig: false,
  })
  if ('set' in change) conf.set(change.set, change.value)
  else conf.delete(change.unset)
}
