/*
 * C0, DEL and C1 move the cursor or recolour the screen; bidi controls and their kin show a name as another one; a lone
 * surrogate is half a character: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
 */
const unprintable =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu

const shortForms: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** `text` as one line that any terminal may get: what would steer the terminal stands there as an escape (`\x1b`, `\u202e`). */
export function printable(text: string): string {
  return text.replace(unprintable, escapeOf)
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0)
  if (code >= 0x100) return unicodeEscape(character)
  return shortForms[character] ?? `\\x${code.toString(16).padStart(2, '0')}`
}

/** JSON on one line that any terminal may get: the same value, with escapes where `JSON.stringify` leaves C1 and bidi as they are. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, unicodeEscape)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
