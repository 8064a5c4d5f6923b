import type { Key, KeyRules, Sha256 } from '../client/destination.ts'
import { classOf } from '../hash/kinds.ts'
import type { Item } from './item.ts'
import { withDigits } from './key-digits.ts'
import { encodeSegment, fitted, keyFrom, splitExt, versioned } from './keys.ts'
import { takenFrom, uuidOf, type Layout, type TakenAt } from './layout.ts'

export interface Naming {
  layout: Layout
  prefix: string
  /** Of the batch's folder, below the source. */
  dir: string
  rules: KeyRules
  /** `prefix` and `dir` as a key, with its slash: what the default layout puts before each name. */
  folder: string
  /** Keys carry digits of their content's digest, so that two contents never want one key, whoever else names them. */
  digests: boolean
}

export function namingOf(layout: Layout, prefix: string, dir: string, rules: KeyRules, digestInNames = false): Naming {
  const folder = keyFrom([...prefix.split('/'), ...dir.split('/')], rules)
  const digests = digestInNames && !layout.holdsDigest
  return { layout, prefix, dir, rules, folder: folder === '' ? '' : `${folder}/`, digests }
}

/** Names the members of one group for the `counter`-th time: all with the same counter, sidecars after their photo. */
export function nameGroup(group: readonly Item[], counter: number, naming: Naming): Map<Item, Key> {
  const keys = new Map<Item, Key>()
  const [only] = group
  if (only && group.length === 1) return keys.set(only, versioned(baseKey(only, naming), counter, naming.rules))
  const given = new Set<Key>()
  const give = (item: Item, key: Key): void => {
    const own = distinct(key, given, naming.rules)
    given.add(own)
    keys.set(item, own)
  }
  for (const item of group) if (!item.sidecar) give(item, versioned(baseKey(item, naming), counter, naming.rules))
  for (const item of group) if (item.sidecar) give(item, fitted(sidecarKey(item, counter, keys, naming), naming.rules))
  return keys
}

/** A layout may name two members of a group alike (`{uuid}{ext}` an original and its edited copy), and no counter would tell them apart. */
function distinct(key: Key, given: ReadonlySet<Key>, rules: KeyRules): Key {
  let own = key
  for (let times = 2; given.has(own); times++) own = versioned(key, times, rules)
  return own
}

/** The key that a content gets when nothing stands in its way. */
export function baseKey(item: Item, naming: Naming): Key {
  const key = plainKey(item, naming)
  return naming.digests ? withDigits(key, digestsOf(item, naming), naming.rules) : key
}

function plainKey(item: Item, { layout, prefix, dir, folder, rules }: Naming): Key {
  if (layout.isDefault) return folder + encodeSegment(item.member.name, rules)
  const { stem, ext } = splitExt(item.member.name)
  const digest = item.digest ?? ''
  const segments = layout.expand({
    dir,
    name: stem,
    ext,
    taken: takenOf(item),
    camera: cameraOf(item),
    digest,
    // pairs stay pairs: one UUID for the group, from the content of its first photo
    uuid: uuidOf(item.group.find(({ sidecar, digest: known }) => !sidecar && known !== undefined)?.digest ?? digest),
  })
  return keyFrom([...prefix.split('/'), ...segments], rules)
}

/** Beyond, names would be nothing but digits. */
const longestCompany = 3

/**
 * The digests whose digits a photo's key carries: its own, and those of its pair, so that both keep one stem: a JPEG and its RAW, a
 * still and its movie. Which of two with one stem and one extension a key means, only its own digest can tell.
 */
function digestsOf(item: Item, { layout }: Naming): Sha256[] {
  const stem = stemOf(item)
  const company = item.group.filter((other) => isPhotoIn(other) && stemOf(other) === stem)
  const exts = new Set(company.map((other) => splitExt(other.member.name).ext.toLowerCase()))
  const paired = layout.holdsExt && exts.size === company.length && company.length <= longestCompany
  const members = paired && company.includes(item) ? company : [item]
  return members.flatMap(({ digest }) => digest ?? []).toSorted()
}

/** What was stored by an earlier run is not told again whether it is a sidecar. */
function isPhotoIn({ sidecar, digest, kind }: Item): boolean {
  return !sidecar && digest !== undefined && (kind === undefined || classOf(kind) !== 'sidecar')
}

function stemOf(item: Item): string {
  return splitExt(item.member.name).stem.toLowerCase()
}

/** `IMG_1.jpg.xmp` beside `IMG_1-2.jpg` is `IMG_1-2.jpg.xmp`; `IMG_1.xmp` is `IMG_1-2.xmp`. */
function sidecarKey(item: Item, counter: number, keys: ReadonlyMap<Item, Key>, naming: Naming): Key {
  const { name } = item.member
  // a photo whose digest nobody knows lies under a name that nobody knows
  const photos = item.group.filter(({ sidecar, digest }) => !sidecar && (digest !== undefined || !naming.digests))
  const whole = photos.find((photo) => begins(name, photo.member.name))
  if (whole) return (keys.get(whole) as Key) + encodeSuffix(name.slice(whole.member.name.length), naming.rules)

  const byStem = photos.find((photo) => begins(name, splitExt(photo.member.name).stem))
  if (byStem) {
    const { stem } = splitExt(byStem.member.name)
    const key = keys.get(byStem) as Key
    const slash = key.lastIndexOf('/') + 1
    return key.slice(0, slash) + splitExt(key.slice(slash)).stem + encodeSuffix(name.slice(stem.length), naming.rules)
  }
  const photo = photos[0]
  if (!photo) return versioned(baseKey(item, naming), counter, naming.rules)
  const key = keys.get(photo) as Key
  const beside = key.slice(0, key.lastIndexOf('/') + 1) + encodeSegment(name, naming.rules)
  const own = naming.digests ? withDigits(beside, digestsOf(photo, naming), naming.rules) : beside
  return versioned(own, counter, naming.rules)
}

function encodeSuffix(suffix: string, rules: KeyRules): string {
  return suffix === '' ? '' : encodeSegment(`x${suffix}`, rules).slice(1)
}

function begins(name: string, start: string): boolean {
  return name.length >= start.length && name.slice(0, start.length).toLowerCase() === start.toLowerCase()
}

/** The counter that a stored member of the group got, so that late companions join it. */
export function counterOf(key: Key, base: Key, rules: KeyRules): number {
  const suffix = /-(\d{1,6})(\.[^./]*)?$/.exec(key)?.[1]
  const counter = suffix === undefined ? 1 : Number(suffix)
  return versioned(base, counter, rules) === key ? counter : 1
}

/** The group's date: pairs and sidecars lie in one folder, whichever of them tells it. */
export function takenOf(item: Item): TakenAt {
  const told =
    item.group.find(({ sidecar, taken }) => !sidecar && taken)?.taken ?? item.group.find(({ taken }) => taken)?.taken
  return told ?? takenFrom(new Date(leadOf(item).file.stamp.mtimeUs / 1000))
}

export function isDatedByMtime(item: Item): boolean {
  return item.group.every(({ taken }) => taken === undefined)
}

function cameraOf(item: Item): string {
  return item.group.find(({ camera }) => camera !== undefined)?.camera ?? 'unknown camera'
}

function leadOf(item: Item): Item {
  return item.group.find(({ sidecar }) => !sidecar) ?? item
}
