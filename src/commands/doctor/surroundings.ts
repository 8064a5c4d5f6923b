import { existsSync } from 'node:fs'

import type { Config } from '../../config.ts'
import type { Io } from '../../report/io.ts'
import { type Finding, note, ok } from './finding.ts'

/** Where settings come from, and what was odd about them; a file that cannot be read has ended the command before. */
export function checkConfig({ userFile, projectFile, notices }: Config): Finding[] {
  return [
    ok('config', `your settings ${userFile}${existsSync(userFile) ? '' : ', not made yet'}`),
    ...(projectFile === undefined ? [] : [ok('config', `project settings ${projectFile}`)]),
    ...notices.map((text) => note('config', text)),
  ]
}

/** What people will see of a run. */
export function checkTerminal({ stderr, env }: Pick<Io, 'stderr' | 'env'>): Finding[] {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG']
  const isUtf8 = process.platform === 'win32' || process.platform === 'darwin' || /utf-?8/i.test(locale ?? '')
  const view =
    stderr.isTTY && env['TERM'] !== 'dumb'
      ? `terminal of ${stderr.columns ?? 80} columns`
      : 'no terminal: progress is a line every 10 s'
  return [
    ok('terminal', view),
    ...(isUtf8
      ? []
      : [
          note(
            'terminal',
            `the locale ${locale ?? 'is not set, so it'} may not show names beyond ASCII`,
            'set LANG to one that ends in UTF-8',
          ),
        ]),
  ]
}
