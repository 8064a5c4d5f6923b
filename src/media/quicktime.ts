import { u16be, u32be, u64be } from '../hash/bytes.ts'
import { type Box, boxesIn, boxIn, boxType } from './boxes.ts'
import { parseTakenAt, type TakenAt, takenAtUnix } from './taken-at.ts'
import type { Window } from './window.ts'
import { written } from './written.ts'

const MOVIE = boxType('moov')
const MOVIE_HEADER = boxType('mvhd')
const USER_DATA = boxType('udta')
const META = boxType('meta')
const KEYS = boxType('keys')
const LIST = boxType('ilst')
const DATA = boxType('data')
const HANDLER = boxType('hdlr')
const DAY = boxType('\xa9day')
const MAKE = boxType('\xa9mak')
const MODEL = boxType('\xa9mod')

/** From 1904, where QuickTime counts from, to 1970: https://developer.apple.com/documentation/quicktime-file-format/movie_header_atom. */
const EPOCH_SECONDS = 2_082_844_800

/** QuickTime's own. A header with less has no date, or a clock that was never set. */
const FIRST_YEAR = 1991

const MAX_VALUE_BYTES = 256

/** What a movie says of itself. */
export interface Movie {
  takenAt?: TakenAt | undefined
  make: string
  model: string
}

/**
 * A movie's own date with its offset where it has one (`com.apple.quicktime.creationdate`, `©day`), else its header's
 * creation, which is UTC. `moov` may lie behind the picture data; undefined without one.
 */
export function movieOf(window: Window): Movie | undefined {
  const movie = boxIn(window, MOVIE, 0)
  if (movie === undefined) return undefined
  const children = [...boxesIn(window, movie.start, movie.end)]
  const find = (type: number): Box | undefined => children.find((box) => box.type === type)
  const meta = find(META)
  const texts = new Map([...userData(window, find(USER_DATA)), ...(meta ? metadata(window, meta) : [])])
  const header = find(MOVIE_HEADER)
  return {
    takenAt: localTime(texts.get('creationdate')) ?? localTime(texts.get('day')) ?? (header && created(window, header)),
    make: texts.get('make') ?? '',
    model: texts.get('model') ?? '',
  }
}

/** A date without a time is a release's, not a recording's. */
function localTime(text = ''): TakenAt | undefined {
  return text.includes(':') ? parseTakenAt(text) : undefined
}

/** Some cameras count from 1970: by QuickTime's epoch their movies would be older than 1970, and no movie file is. */
function created(window: Window, { start }: Box): TakenAt | undefined {
  const header = window.read(start, 12)
  const seconds = header[0] === 1 ? u64be(header, 4) : u32be(header, 4)
  const taken = takenAtUnix(seconds < EPOCH_SECONDS ? seconds : seconds - EPOCH_SECONDS, 0)
  return taken !== undefined && taken.year >= FIRST_YEAR ? taken : undefined
}

/** Classic user data: a language and a length before each text. */
function userData(window: Window, box?: Box): [string, string][] {
  if (box === undefined) return []
  const names = new Map([
    [DAY, 'day'],
    [MAKE, 'make'],
    [MODEL, 'model'],
  ])
  return [...boxesIn(window, box.start, box.end)].flatMap(({ type, start, end }) => {
    const name = names.get(type)
    const value = window.read(start, Math.min(end - start, MAX_VALUE_BYTES))
    return name === undefined
      ? []
      : [[name, written(value.subarray(4, 4 + u16be(value, 0)))] satisfies [string, string]]
  })
}

/** Apple's keyed metadata, its names without `com.apple.quicktime.`; QuickTime's `meta` has no version, MP4's has. */
function metadata(window: Window, { start, end }: Box): [string, string][] {
  const isBare = u32be(window.read(start, 8), 4) === HANDLER
  const tables = [...boxesIn(window, start + (isBare ? 0 : 4), end)]
  const keys = tables.find(({ type }) => type === KEYS)
  const list = tables.find(({ type }) => type === LIST)
  if (keys === undefined || list === undefined) return []
  const names = [...boxesIn(window, keys.start + 8, keys.end)].map((key) =>
    textOf(window, key).replace('com.apple.quicktime.', ''),
  )
  return [...boxesIn(window, list.start, list.end)].flatMap((item) => {
    const name = names[item.type - 1]
    const [value] = boxesIn(window, item.start, item.end)
    return name === undefined || value?.type !== DATA
      ? []
      : [[name, textOf(window, value, 8)] satisfies [string, string]]
  })
}

function textOf(window: Window, { start, end }: Box, skip = 0): string {
  const value = window.read(start, Math.min(end - start, MAX_VALUE_BYTES))
  return written(value.subarray(skip))
}
