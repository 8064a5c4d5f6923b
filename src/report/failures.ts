import type { FailedEvent, SkippedEvent } from '../events.ts'

/** More names than a screen holds help nobody; `lumina status` has them all. */
export const namedAtMost = 50

/** What a summary says of one asset that is not stored. */
export interface Named {
  path: string
  what: string
}

export function nameFailed({ path, message, hint }: FailedEvent): Named {
  return { path, what: hint === undefined ? message : `${message} (${hint})` }
}

export function nameEmpty({ path }: SkippedEvent): Named {
  return { path, what: 'empty, 0 bytes' }
}
