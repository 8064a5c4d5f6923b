import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

import { holdsSecret } from './secrets.ts'

/** What a text is read against. */
export interface ValueContext {
  readonly nowMs: number
  /** The folder that relative paths mean; `undefined` where none is meant, so that they are refused. */
  readonly base: string | undefined
}

/** A text that is no value of its type. The message says what is wrong, in the words of a sentence that begins with the text. */
export class BadValue extends Error {}

/** How a text becomes a value. Flags, environment and files all bring texts; files may bring plain JSON as well. */
export interface ValueType<T> {
  /** For `--help`; a type without one is a switch. */
  readonly placeholder?: string
  /** For messages. */
  readonly example: string
  /** JSON types that a file may use beside a text. */
  readonly json?: 'number' | 'boolean' | 'list'
  /** For lists: how one of their elements is read. */
  readonly item?: ValueType<string>
  read(text: string, context: ValueContext): T
}

function fail(what: string): never {
  throw new BadValue(what)
}

export const text = (placeholder: string, example: string): ValueType<string> => ({
  placeholder,
  example,
  read: (value) => (value === '' ? fail('is empty') : value),
})

export const flag: ValueType<boolean> = {
  example: 'true or false',
  json: 'boolean',
  read: (value) => switches[value.toLowerCase()] ?? fail('is neither true nor false'),
}

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

export const count = (placeholder: string, { min = 0, max }: { min?: number; max: number }): ValueType<number> => ({
  placeholder,
  example: `a whole number from ${min} to ${max}`,
  json: 'number',
  read(value) {
    const number = /^\d+$/.test(value) ? Number(value) : fail('is no whole number')
    return number >= min && number <= max ? number : fail(`is not between ${min} and ${max}`)
  },
})

export function choice<const T extends string>(...choices: readonly T[]): ValueType<T> {
  return {
    placeholder: choices.join('|'),
    example: choices.join(', '),
    read: (value) => choices.find((each) => each === value) ?? fail(`is none of ${choices.join(', ')}`),
  }
}

const binary: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 }
const decimal: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 }

/** Bytes. `10M` and `10MiB` count in 1024s, as in rclone, dd and tar; `10MB` in 1000s, as disks are sold. */
export const size: ValueType<number> = {
  placeholder: 'size',
  example: '500K, 10M, 1.5GiB',
  json: 'number',
  read: readSize,
}

function readSize(value: string): number {
  const [, digits, prefix = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b)?$/i.exec(value) ?? fail('is no size')
  const factor = (unit.toLowerCase() === 'b' ? decimal : binary)[prefix.toLowerCase()] as number
  return Math.round(Number(digits) * factor)
}

/** Bytes a second. Like a size, with or without `/s`; `50Mbit` as networks are sold. */
export const rate: ValueType<number> = {
  placeholder: 'rate',
  example: '10M, 1.5MB/s, 50Mbit',
  json: 'number',
  read(value) {
    const [, digits, prefix] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)bit(?:\/s)?$/i.exec(value) ?? []
    if (digits === undefined || prefix === undefined) return positive(readSize(value.replace(/\/s$/i, '')))
    return positive(Math.round((Number(digits) * (decimal[prefix.toLowerCase()] as number)) / 8))
  },
}

const positive = (number: number): number => (number > 0 ? number : fail('is not more than 0'))

const msPer: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8, y: 3.1536e10 }

/** Milliseconds. */
export const duration: ValueType<number> = {
  placeholder: 'time',
  example: '90s, 2h, 1h30m, 7d',
  json: 'number',
  read: (value) => positive(readDuration(value)),
}

/** A bare number counts seconds, as for `sleep` and `timeout`. */
function readDuration(value: string): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1e3
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)\s*(ms|[smhdwy])/gi)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== value) fail('is no time')
  return parts.reduce(
    (sum, [, digits, unit]) => sum + Number(digits) * (msPer[(unit as string).toLowerCase()] as number),
    0,
  )
}

const date = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$/i

/**
 * A moment, as milliseconds since 1970: an age (`7d` ago), or a date in local time, or with an offset. A date that leaves off its end
 * means the whole year, month, day, minute or second: `first` takes its begin and `last` its end, so that
 * `--since 2026-01 --until 2026-01` is January.
 */
export const moment = (edge: 'first' | 'last'): ValueType<number> => ({
  placeholder: 'when',
  example: '2026-05-31, 2026-05, 2026-05-31T18:00 or 7d',
  read: (value, { nowMs }) => (date.test(value) ? readDate(value, edge) : nowMs - readAge(value)),
})

function readAge(value: string): number {
  try {
    return /^\d/.test(value) && !/^[\d.]+$/.test(value) ? readDuration(value) : fail('')
  } catch {
    return fail('is neither a date nor an age')
  }
}

function readDate(value: string, edge: 'first' | 'last'): number {
  const [, ...fields] = date.exec(value) as RegExpExecArray
  const given = fields.slice(0, 6).filter((field) => field !== undefined)
  const parts = [0, 1, 1, 0, 0, 0].map((least, at) => Number(given[at] ?? least)) as DateParts
  if (!isInCalendar(parts)) fail('is no date of the calendar')
  if (edge === 'first') return timeOf(parts, fields[6])
  parts[given.length - 1] = (parts[given.length - 1] as number) + 1
  return timeOf(parts, fields[6]) - 1
}

/** Year, month counted from 1, day, hour, minute, second. */
type DateParts = [number, number, number, number, number, number]

function timeOf([year, month, ...rest]: DateParts, zone: string | undefined): number {
  if (zone === undefined) return new Date(year, month - 1, ...rest).getTime()
  return Date.UTC(year, month - 1, ...rest) - offsetMs(zone)
}

/** `Date` would roll the 31st of February over into March. */
function isInCalendar(parts: DateParts): boolean {
  const iso = new Date(timeOf(parts, 'Z')).toISOString()
  return parts.join() === iso.split(/\D/).slice(0, 6).map(Number).join()
}

function offsetMs(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? []
  if (sign === undefined) return 0
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 6e4
}

/** `off` lifts what a file or the environment sets. */
export const optional = <T>(type: ValueType<T>): ValueType<T | undefined> => ({
  ...type,
  read: (value, context) => (value.toLowerCase() === 'off' ? undefined : type.read(value, context)),
})

const noBase = 'is a relative path, which in this place would mean another folder every time'

/** An absolute path; `~/` is the home folder also where no shell has replaced it (`--state=~/x`, a file). */
export const path = (placeholder: string, { dash = false } = {}): ValueType<string> => ({
  placeholder,
  example: 'a path',
  read(value, { base }) {
    if (value === '') fail('is empty')
    if (dash && value === '-') return value
    const written = atHome(value)
    return isAbsolute(written) ? written : resolve(base ?? fail(noBase), written)
  },
})

function atHome(value: string): string {
  return value === '~' || /^~[/\\]/.test(value) ? join(homedir(), value.slice(1)) : value
}

/** A name for a destination: no path and no URL, so that `--to nas` can only mean the name. */
export const isDestinationName = (value: string): boolean => /^[a-z][\w-]*$/i.test(value)

/** Two letters and more: `C:` is a drive. */
export const isUrl = (value: string): boolean => /^[a-z][a-z\d+.-]+:\/\//i.test(value)

/** Where to upload to, as it was written: a path, a URL, or a name out of `destinations`. A login never stands in it. */
export const destination: ValueType<string> = {
  placeholder: 'destination',
  example: './library, supabase://bucket/photos',
  read(value, { base }) {
    if (value === '') fail('is empty')
    if (holdsSecret(value)) fail('holds a login or a token, which belong into the environment')
    const written = atHome(value)
    const isRelative = !isUrl(written) && !isDestinationName(written) && !isAbsolute(written)
    return isRelative && base === undefined ? fail(noBase) : written
  },
}

/** The URL of a database, without a password: on a command line others can read it. */
export const postgres: ValueType<string> = {
  placeholder: 'url',
  example: 'postgres://host/database, with the password in PGPASSWORD or the whole URL in LUMINA_CATALOG',
  read(value) {
    if (holdsSecret(value)) fail('holds a login, which belongs into LUMINA_CATALOG')
    return /^postgres(?:ql)?:\/\//i.test(value) ? value : fail('is not the URL of a Postgres database')
  },
}

/** A destination that means the same place from every folder. */
export function lastingDestination(value: string, cwd: string): string {
  const written = destination.read(value, { nowMs: 0, base: cwd })
  return isUrl(written) || isDestinationName(written) ? written : resolve(cwd, written)
}

/** Several values: one an argument, one an element of a JSON list, one a line, or one between commas (not those of `{a,b}`). */
export const list = (item: ValueType<string>): ValueType<readonly string[]> => ({
  ...item,
  json: 'list',
  item,
  read: (value, context) => splitList(value).map((each) => item.read(each, context)),
})

function splitList(value: string): string[] {
  const separator = value.includes('\n') ? /\r?\n/ : /,(?![^{]*\})/
  return value
    .split(separator)
    .map((each) => each.trim())
    .filter((each) => each !== '')
}
