/** The command that checks, before a card is wiped, that all of it is stored; ready to be pasted into a shell. */
export function verifyLine(paths: readonly string[], to: string): string {
  return ['lumina', 'verify', ...paths, '--to', to].map(quoted).join(' ')
}

function quoted(word: string): string {
  return /^[\w./:@%+=,~-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
