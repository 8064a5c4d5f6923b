import type { Config } from '../config.ts'

type Asked = Pick<Config, 'to' | 'filesFrom' | 'nul' | 'allFiles' | 'followSymlinks'>

/**
 * The command that checks, before a card is wiped, that all of it is stored; ready to be pasted into a shell. It looks at whatever
 * the upload could have met: what filters left out of that goes with the card too.
 */
export function verifyLine(paths: readonly string[], config: Asked, destination: string): string {
  const { to = destination, filesFrom, nul, allFiles, followSymlinks } = config
  const words = [
    ...paths.map((path) => (path.startsWith('-') ? `./${path}` : path)),
    ...(filesFrom === undefined ? [] : ['--files-from', filesFrom, ...(nul ? ['-0'] : [])]),
    ...(allFiles ? ['--all-files'] : []),
    ...(followSymlinks ? ['--follow-symlinks'] : []),
    '--to',
    to,
  ]
  return ['lumina', 'verify', ...words].map(quoted).join(' ')
}

function quoted(word: string): string {
  return /^[\w./:@%+=,~-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
