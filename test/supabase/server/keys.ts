import { refusals } from './errors.ts'

const allowed = /^[\w/!.*'() &$=@;:+,?-]+$/
const maxSegmentBytes = 255

/** Throws what the service answers for a key that it does not take. */
export function checkKey(key: string): void {
  const segments = key.split('/')
  if (!allowed.test(key) || segments.includes('.') || segments.includes('..')) throw refusals.invalidKey(key)
  // its file system has no such names, and it does not look before it tries
  if (segments.some((segment) => Buffer.byteLength(segment) > maxSegmentBytes)) throw refusals.internalError()
}
