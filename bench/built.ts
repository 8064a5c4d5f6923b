import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { filesIn } from './tree.ts'

/** Why a program can't be measured: the bench looks at what users get, never at the sources. */
export function notBuilt(program: string): string | undefined {
  if (!existsSync(program)) return `no program at ${program}`
  if (!isInCheckout(program) || existsSync(join(rootOf(program), 'dist'))) return undefined
  return 'dist/ is not there: npm run build'
}

/** A warning when the sources are newer than what would be measured. */
export function isStale(program: string): boolean {
  if (!isInCheckout(program)) return false
  return newestIn(join(rootOf(program), 'src')) > newestIn(join(rootOf(program), 'dist'))
}

const rootOf = (program: string): string => dirname(dirname(program))
const isInCheckout = (program: string): boolean => existsSync(join(rootOf(program), 'src/cli.ts'))

function newestIn(folder: string): number {
  let newestMs = 0
  for (const path of filesIn(folder)) newestMs = Math.max(newestMs, statSync(path).mtimeMs)
  return newestMs
}
