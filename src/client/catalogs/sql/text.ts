import { asText, fromText } from '../../../os-path.ts'

/*
 * Postgres holds any text but U+0000, which stands there as its picture U+2400; that picture itself, and the escape before it, are
 * escaped by U+241B.
 */
const nulls = /[\0\u2400\u241b]/g
const pictures = /\u241b([\u2400\u241b])|\u2400/g

/** A text as Postgres can hold it. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll(nulls, (character) => (character === '\0' ? '\u2400' : `\u241b${character}`))
}

export function stored(text: string): string {
  return text.replaceAll(pictures, (_, escaped: string | undefined) => escaped ?? '\0')
}

/** A file's name, of whatever bytes. */
export function storableName(name: string): string {
  return storable(asText(name))
}

export function storedName(text: string): string {
  return fromText(stored(text))
}
