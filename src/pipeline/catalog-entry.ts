import type { CatalogEntry, Claim } from '../client/destination.ts'
import type { Item } from './item.ts'
import { unknownKind } from './outcomes.ts'

/** What a catalog is told of a stored item. */
export function catalogEntry(item: Item, claim: Claim): CatalogEntry {
  const { bytes, mtimeUs } = item.file.stamp
  const { taken, camera, head } = item
  return {
    ...claim,
    bytes,
    kind: item.kind ?? unknownKind,
    name: item.member.name,
    modifiedMs: mtimeUs / 1000,
    ...(head === undefined ? {} : { head }),
    ...(taken === undefined ? {} : { takenAt: isoOf(taken) }),
    ...(camera === undefined ? {} : { camera }),
  }
}

/** `2026-05-31T18:00:00`, in the photographer's own time. */
export function isoOf({ year, month, day, hour, minute, second }: NonNullable<Item['taken']>): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`
}
