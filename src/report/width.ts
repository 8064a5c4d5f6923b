// Cells of a terminal: https://www.unicode.org/reports/tr11 (wide and fullwidth), marks and joiners take none.
const wide =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const zero = /\p{Mn}|\p{Me}|\p{Cf}/u

/** How many columns `text` takes, of text that `printable` has been over. Where terminals differ, the larger count. */
export function widthOf(text: string): number {
  let columns = 0
  for (const character of text) columns += widthOfCharacter(character)
  return columns
}

function widthOfCharacter(character: string): number {
  if (character < '\u0300') return 1
  if (wide.test(character)) return 2
  return zero.test(character) ? 0 : 1
}

/** The end of `text`, which tells files apart, in at most `columns`; what was left off stands as `…`. */
export function shortenStart(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  if (columns < 1) return ''
  const kept: string[] = []
  let room = columns - 1
  for (const character of Array.from(text).toReversed()) {
    room -= widthOfCharacter(character)
    if (room < 0) break
    kept.push(character)
  }
  return `…${kept.toReversed().join('')}`
}

/** The beginning of `text` in at most `columns`. */
export function shortenEnd(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let room = columns - 1
  let kept = ''
  for (const character of text) {
    room -= widthOfCharacter(character)
    if (room < 0) break
    kept += character
  }
  return columns < 1 ? '' : `${kept}…`
}
