import type { CatalogEntry, Key } from '../../destination.ts'

/** What `value` says of a stored content; undefined unless every part of it is what an entry may hold. */
export function entryFrom(value: Record<string, unknown>): CatalogEntry | undefined {
  const { key, digest, bytes, kind, sidecar, name } = value
  if (!isKey(key) || !isDigest(digest) || !isCount(bytes) || typeof kind !== 'string') return undefined
  if (typeof sidecar !== 'boolean' || typeof name !== 'string') return undefined
  const entry: CatalogEntry = { key, digest, bytes, kind, sidecar, name }
  for (const [field, isOne] of optional) {
    const own = value[field]
    if (own === undefined) continue
    if (!isOne(own)) return undefined
    Object.assign(entry, { [field]: own })
  }
  return entry
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const optional: readonly [keyof CatalogEntry, Check][] = [
  ['head', (value) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)],
  ['modifiedMs', (value) => typeof value === 'number'],
  ['takenAt', isText],
  ['camera', isText],
]

/** No key of Lumina's leaves its prefix, nor lies where Lumina keeps its own. */
export function isKey(value: unknown): value is Key {
  if (typeof value !== 'string' || !value.isWellFormed() || Buffer.byteLength(value) > longestKeyBytes) return false
  if (/[\p{Cc}\\]/u.test(value)) return false
  const segments = value.split('/')
  return segments[0] !== '.lumina' && segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** Beyond what any destination takes. */
const longestKeyBytes = 4096

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
