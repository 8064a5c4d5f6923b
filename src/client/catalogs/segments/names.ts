import type { Key } from '../../destination.ts'

/*
 * `<folder>/loose/<hour>/<epoch>-<time>-<random>.ndjson` is one segment, as it was written: by the hour, so that those who look again
 * list only what is new. `<folder>/packs/<time>-<random>.ndjson` is many of them in one file. Of two files, the greater name is the
 * later one, and every pack is later than every loose segment.
 */

const segmentName = /^(\d{10})-\d{13}-[0-9a-f]{16}$/
const fileName = /^(?:loose\/[^/]+\/(\d{10}-\d{13}-[0-9a-f]{16})|packs\/(\d{13})-[0-9a-f]{16})\.ndjson$/
const hourMs = 3_600_000

/** 16 hex digits that nobody else draws. */
export type Random = () => string

export function newSegment(epoch: number, nowMs: number, random: Random): string {
  return `${digits(epoch, 10)}-${digits(nowMs, 13)}-${random()}`
}

/** The epoch of a segment: how often somebody had forgotten something when it was written, itself included; undefined for what is no segment. */
export function epochOf(name: string): number | undefined {
  const epoch = segmentName.exec(name)?.[1]
  return epoch === undefined ? undefined : Number(epoch)
}

export function loosePath(folder: Key, name: string): Key {
  return `${folder}/loose/${hourOf(Number(name.slice(11, 24)))}/${name}.ndjson`
}

export function packPath(folder: Key, timeMs: number, random: Random): Key {
  return `${folder}/packs/${digits(timeMs, 13)}-${random()}.ndjson`
}

/** What a file below the folder is by its name; undefined when it is nothing of the catalog. */
export function fileAt(folder: Key, path: Key): { segment: string } | { packedMs: number } | undefined {
  const [, segment, packedMs] = fileName.exec(path.slice(folder.length + 1)) ?? []
  if (segment !== undefined) return { segment }
  return packedMs === undefined ? undefined : { packedMs: Number(packedMs) }
}

/** Where segments lie that were written since. Undefined: too long ago to list by the hour. */
export function foldersSince(folder: Key, sinceMs: number, nowMs: number): Key[] | undefined {
  const [first, last] = [sinceMs - apartMs, nowMs + apartMs].map((ms) => Math.floor(ms / hourMs)) as [number, number]
  if (last - first >= mostHours) return undefined
  return Array.from({ length: last - first + 1 }, (_, at) => `${folder}/loose/${hourOf((first + at) * hourMs)}/`)
}

/** By how much the clocks of machines differ that are set at all; and how long a segment is on its way after it was named. */
const apartMs = 10 * 60_000

/** A request each: beyond, all of the catalog is as soon listed. */
const mostHours = 6

function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13)
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, '0')
}
