import type { NotStoredReason, SkipReason } from '../events.ts'
import { formatCount } from './units.ts'

/** Reasons as people read them, in the order in which a summary tells them. */
export const skipWords: Readonly<Record<SkipReason, string>> = {
  'already-there': 'already there',
  'not-a-photo': 'not a photo',
  empty: 'empty',
  'special-file': 'no regular file',
  symlink: 'symbolic link',
  'excluded-by-date': 'taken at another time',
  collision: 'name taken',
  limit: 'left for the next run by a limit',
  interrupted: 'interrupted',
}

export const notStoredWords: Readonly<Record<NotStoredReason, string>> = {
  unknown: 'never stored',
  missing: 'gone from the destination',
  rotten: 'stored as another content',
  unreadable: 'unreadable',
  'not-a-photo': skipWords['not-a-photo'],
  empty: skipWords.empty,
  'special-file': skipWords['special-file'],
  symlink: skipWords.symlink,
  'excluded-by-date': skipWords['excluded-by-date'],
  limit: 'not looked at because of a limit',
  interrupted: 'not looked at',
}

/** `280 already there`, `18 not a photo`: those that count, in the order of the words. */
export function countsOf<Reason extends string>(
  words: Readonly<Record<Reason, string>>,
  counts: Partial<Record<NoInfer<Reason>, number>>,
): string[] {
  const reasons = Object.keys(words) as Reason[]
  return reasons
    .filter((reason) => counts[reason])
    .map((reason) => `${formatCount(counts[reason] ?? 0)} ${words[reason]}`)
}
