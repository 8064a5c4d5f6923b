import { folded, splitExtension } from './names.ts'
import { takeoutNamesOf, withoutEditedMark } from './takeout-names.ts'

/** Extensions of files that describe another: edits, Apple's adjustments, voice memos, clip and Takeout metadata. */
const SIDECAR_EXTENSIONS = new Set(['.xmp', '.aae', '.wav', '.xml', '.json'])

/** A Pixel's shot: everything after its time stamp says which part of it this is (`.MP`, `.RAW-02.ORIGINAL`, `~2`). */
const PIXEL_SHOT = /^(pxl_\d{8}_\d{9})[^(]*/

/** Apple's name for an edited copy (`IMG_E0001`) and for the adjustments of its original (`IMG_O0001`). */
const APPLE_EDIT = /^img_[eo](?=\d{4,}$)/

/** Whether a name is a sidecar's, by its extension; whether it has a photo, `groupByCompanion` tells. */
export function isSidecarName(name: string): boolean {
  return SIDECAR_EXTENSIONS.has(splitExtension(name)[1].toLowerCase())
}

/**
 * What the names of one shot's files in a folder have in common, folded: the raw, its JPEG, its XMP, a live photo's movie
 * (`IMG_1.HEIC`, `IMG_1.MOV`, iCloud's `IMG_1_HEVC.MOV`), an edited copy (`IMG_E0001.JPG`, `IMG_1-edited.jpg`), a thumbnail.
 */
export function stemOf(name: string): string {
  const stem = splitExtension(folded(name))[0]
  if (stem.startsWith('pxl_')) return stem.replace(PIXEL_SHOT, '$1')
  if (stem.startsWith('img_')) return withoutEditedMark(stem.replace(APPLE_EDIT, 'img_').replace(/_hevc$/, ''))
  return withoutEditedMark(stem)
}

/**
 * The photos that a sidecar may describe, likeliest first, each a folded name or a stem as `stemOf` gives it; none for a name
 * that is no sidecar's. Takeout's metadata goes the other way: `takeoutNamesOf`.
 */
export function sidecarOf(name: string): string[] {
  const [inner, extension] = splitExtension(folded(name))
  switch (extension) {
    case '.xmp':
      return [...new Set([...xmpOf(inner), stemOf(name)])]
    case '.aae':
      return [stemOf(name)]
    case '.wav': // Canon's PowerShots call the memo SND_0001 that belongs to IMG_0001.
      return [stemOf(name), ...(inner.startsWith('snd_') ? [inner.replace('snd_', 'img_')] : [])]
    case '.xml': // Sony's C0001M01.XML describes C0001.MP4.
      return [stemOf(name), inner.replace(/m\d\d$/, '')]
    default:
      return []
  }
}

/** `IMG.jpg.xmp` is of IMG.jpg, and darktable's `IMG_01.jpg.xmp` is a second edit of it. Adobe's `IMG.xmp` goes by stem. */
function xmpOf(inner: string): string[] {
  const [stem, extension] = splitExtension(inner)
  if (extension === '') return []
  const first = stem.replace(/_\d\d$/, '')
  return first === stem ? [inner] : [inner, first + extension]
}

/**
 * A folder's names by shot: the photos that share a stem, then their sidecars; groups in the order of their first photo, a
 * sidecar without a photo alone behind them. Every name is in one group. Linear in the names.
 */
export function groupByCompanion(names: readonly string[]): string[][] {
  const shots = new Map<string, string[]>()
  const sidecars: string[] = []
  for (const name of names) {
    if (isSidecarName(name)) sidecars.push(name)
    else join(shots, stemOf(name), name)
  }
  const groups = [...shots.values()]
  if (sidecars.length > 0) groups.push(...attached(sidecars, shots))
  return groups
}

function join(shots: Map<string, string[]>, stem: string, name: string): void {
  const group = shots.get(stem)
  if (group === undefined) shots.set(stem, [name])
  else group.push(name)
}

/** Puts each sidecar with its photo and returns those that have none, each by itself. */
function attached(sidecars: readonly string[], shots: ReadonlyMap<string, string[]>): string[][] {
  const groupOf = photosByName(shots, sidecars.some(isJson))
  const lone: string[][] = []
  for (const sidecar of sidecars) {
    const claimed = [folded(sidecar), ...sidecarOf(sidecar)]
    const group = claimed.map((key) => groupOf.get(key) ?? shots.get(key)).find((found) => found !== undefined)
    if (group === undefined) lone.push([sidecar])
    else group.push(sidecar)
  }
  return lone
}

/** Groups by their photos' folded names and, where a folder has metadata of Takeout, by the names that it would have. */
function photosByName(shots: ReadonlyMap<string, string[]>, withTakeout: boolean): Map<string, string[]> {
  const groupOf = new Map<string, string[]>()
  for (const group of shots.values()) {
    for (const photo of group) groupOf.set(folded(photo), group)
  }
  if (withTakeout) {
    for (const group of shots.values()) {
      for (const metadata of group.flatMap(takeoutNamesOf)) if (!groupOf.has(metadata)) groupOf.set(metadata, group)
    }
  }
  return groupOf
}

function isJson(name: string): boolean {
  return /\.json$/i.test(name)
}
