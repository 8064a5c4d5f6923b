import { LuminaError } from '../../../errors.ts'
import type { Key, KeyRules } from '../../destination.ts'

/*
 * The service takes `A-Za-z0-9_/!.*'() &$=@;:+,?-` in names and nothing else. Keys come with what is no ASCII, and what is forbidden
 * below, percent-encoded (`keys.ts`), so `%` is written `=` there: as long, and still to be read. Whatever else it refuses, and `=`
 * itself, is `=-` and two hex digits, and so is a `%` before `-`. `keyOf` undoes both.
 */
export const keyRules: KeyRules = {
  // a `~` that stands for a shortened name takes three bytes more, as does what comes to a cut end: the service takes 255
  maxSegmentBytes: 248,
  // measured: about 1,100 in all
  maxKeyBytes: 1000,
  asciiOnly: true,
  forbidden: /[#[\]{}^`=~]|%(?=-)/,
}

const longestSegmentBytes = 255
const plain = /^[A-Za-z0-9_/!.*'() &$@;:+,?-]+$/

/** The name that the service has for a key. @throws `key-invalid` */
export function objectName(key: Key): string {
  const name = plain.test(key) ? key : encoded(key)
  const segments = name.split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new LuminaError('key-invalid', `${key} is no name that the service can hold.`)
  if (segments.some((segment) => segment.length > longestSegmentBytes))
    throw new LuminaError('key-invalid', `A part of ${key} is too long for the service.`)
  return name
}

function encoded(key: Key): string {
  return key
    .replace(/%(?=-)|[^A-Za-z0-9_/!.*'() &$@;:+,?%-]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `=-${hex(byte)}`).join(''),
    )
    .replaceAll('%', '=')
}

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0')

/** What `objectName` was given. */
export function keyOf(name: string): Key {
  if (!name.includes('=')) return name
  const parts = name.split(/((?:=-[0-9A-F]{2})+)/)
  return parts
    .map((part, at) =>
      at % 2 === 1 ? Buffer.from(part.replaceAll('=-', ''), 'hex').toString() : part.replaceAll('=', '%'),
    )
    .join('')
}

/** A name as it stands in a URL. */
export function inUrl(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}
