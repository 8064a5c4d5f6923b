import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'

import { defaultPlaces } from '../config/places.ts'
import { redact } from '../config/secrets.ts'
import { version } from '../version.ts'

export interface CrashContext {
  argv: readonly string[]
  env: NodeJS.ProcessEnv
  /** Undefined when the settings could not be read. */
  stateDir: string | undefined
  nowMs: number
}

/** Writes where a bug struck into the state folder, for its owner alone and without secrets; returns the file. */
export function writeCrashReport(error: unknown, { argv, env, stateDir, nowMs }: CrashContext): string | undefined {
  const at = new Date(nowMs).toISOString()
  const lines = [
    `lumina ${version}, node ${process.version}, ${process.platform} ${process.arch}, ${at}`,
    `lumina ${argv.map((each) => JSON.stringify(each)).join(' ')}`,
    inspect(error, { depth: 6 }),
  ]
  try {
    const folder = stateDir ?? (env['LUMINA_STATE'] || defaultPlaces().stateDir)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, `crash-${at.replaceAll(/[:.]/g, '-')}-${process.pid}.log`)
    writeFileSync(file, `${redact(lines.join('\n'), env)}\n`, { mode: 0o600, flag: 'wx' })
    return file
  } catch {
    return undefined
  }
}
