import { LuminaError } from '../../errors.ts'
import type { Destination } from '../destination.ts'

/** Says what a destination would answer, and changes nothing: for `--dry-run`. */
export function dryLayer(inner: Destination): Destination {
  const { name, traits, get, list } = inner
  return {
    name,
    traits,
    stat: (key, ctx) => inner.stat(key, ctx),
    async put(key, source, ctx) {
      if (await inner.stat(key, ctx)) throw new LuminaError('key-taken', `${key} exists already.`)
      return { key, bytes: source.bytes }
    },
    ...(get && { get: (key, from, ctx) => get.call(inner, key, from, ctx) }),
    ...(list && { list: (prefix, ctx) => list.call(inner, prefix, ctx) }),
  }
}
