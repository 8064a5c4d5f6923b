/** When a photo was taken, as the clock in front of the camera showed it. */
export interface TakenAt {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** What the clock was ahead of UTC; 0 for a time that is UTC; absent when nobody wrote it down. */
  readonly offsetMinutes?: number
}

const DATE = /^\s*(\d{4})[:/.-](\d\d)[:/.-](\d\d)(?:[T ]+(\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?)?/
const OFFSET = /(?:Z|(?:GMT|UTC)?\s*([+-])(\d\d):?(\d\d))\s*$/

/** The first photograph is of 1826; a year far ahead is a broken clock's. */
const FIRST_YEAR = 1826
const LAST_YEAR = 2199

/**
 * A time as Exif (`2024:05:01 10:00:00`), XMP (`2024-05-01T10:00:00.12+02:00`) and QuickTime (`2024-05-01T10:00:00+0200`) write
 * it; a day without a time is its midnight. `offset` is the offset's text where it stands apart. Undefined for anything else:
 * zeros, blanks, the 30th of February.
 */
export function parseTakenAt(text: string, offset = text): TakenAt | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0))
  if (!isDate(year, month, day) || hour > 23 || minute > 59 || second > 60) return undefined
  const taken = { year, month, day, hour, minute, second: Math.min(second, 59) }
  const offsetMinutes = match[4] === undefined ? undefined : parseOffset(offset)
  return offsetMinutes === undefined ? taken : { ...taken, offsetMinutes }
}

/** A time from seconds since 1970; `offsetMinutes` 0 says that they are UTC's, its absence that they are the camera's. */
export function takenAtUnix(seconds: number, offsetMinutes?: number): TakenAt | undefined {
  const date = new Date(seconds * 1000)
  const year = date.getUTCFullYear()
  if (!(year >= FIRST_YEAR && year <= LAST_YEAR)) return undefined
  const taken = {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  }
  return offsetMinutes === undefined ? taken : { ...taken, offsetMinutes }
}

function isDate(year: number, month: number, day: number): boolean {
  if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1) return false
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** Minutes ahead of UTC, at most 14 hours (Kiribati); undefined when the text ends with no offset. */
function parseOffset(text: string): number | undefined {
  const match = OFFSET.exec(text)
  if (match === null) return undefined
  const minutes = Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)
  if (minutes > 14 * 60) return undefined
  return match[1] === '-' && minutes > 0 ? -minutes : minutes
}
