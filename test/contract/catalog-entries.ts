import { createHash } from 'node:crypto'
import type { CatalogEntry, Claim, Sha256 } from '../../src/client/destination.ts'

export function digestOf(text: string): Sha256 {
  return createHash('sha256').update(text).digest('hex')
}

export function entryOf(text: string, more: Partial<CatalogEntry> = {}): CatalogEntry {
  return {
    key: `${text}.jpg`,
    digest: digestOf(text),
    bytes: text.length,
    kind: 'image/jpeg',
    sidecar: false,
    name: `${text}.JPG`,
    ...more,
  }
}

export function claimOf(text: string, more: Partial<Claim> = {}): Claim {
  return { key: `${text}.jpg`, digest: digestOf(text), sidecar: false, ...more }
}
