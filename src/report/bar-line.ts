import type { ProgressEvent } from '../events.ts'
import type { Pace } from './pace.ts'
import { printable } from './printable.ts'
import { formatBytes, formatCount, formatRate, formatSeconds, plural } from './units.ts'
import { shortenStart, widthOf } from './width.ts'

const barCells = 24
const gap = '  '
/** Less of a file's name says nothing. */
const leastName = 12

/**
 * The state of a run on one line of at most `columns`. Where it is narrow, what matters least is left off: the bar, then time left, rate and
 * bytes. The current file takes what remains.
 */
export function barLine(event: ProgressEvent, pace: Pace, columns: number): string {
  const segments = fitting(segmentsOf(event, pace), columns)
  const line = segments.map(({ text }) => text).join(gap)
  const room = columns - widthOf(line) - gap.length
  const name = event.current === undefined || room < leastName ? '' : gap + shortenStart(printable(event.current), room)
  return line + name
}

interface Segment {
  text: string
  /** 1 stays longest. */
  rank: number
}

function segmentsOf(event: ProgressEvent, pace: Pace): Segment[] {
  const finished = event.uploaded + event.skipped + event.failed
  const found = `${formatCount(event.found)}${event.walked ? '' : '+'}`
  const segments: Segment[] = [
    { rank: 6, text: bar(pace.share) },
    { rank: 2, text: event.walked ? `${String(Math.floor(pace.share * 100)).padStart(3)}%` : '  …%' },
    { rank: 1, text: `${formatCount(finished)}/${found} files` },
    { rank: 3, text: formatBytes(pace.sentBytes) },
  ]
  if (pace.bytesPerSecond) segments.push({ rank: 4, text: formatRate(pace.bytesPerSecond) })
  if (pace.secondsLeft !== undefined) segments.push({ rank: 5, text: `${timeLeft(pace.secondsLeft)} left` })
  if (event.failed > 0) segments.push({ rank: 1, text: `${formatCount(event.failed)} failed` })
  if (event.retries > 0) segments.push({ rank: 4, text: plural(event.retries, 'retry', 'retries') })
  return segments
}

/** Without the tenths, which flicker. */
function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : formatSeconds(seconds)
}

function fitting(segments: readonly Segment[], columns: number): Segment[] {
  let kept = [...segments]
  for (let rank = 6; rank > 1 && widthOf(kept.map(({ text }) => text).join(gap)) > columns; rank--) {
    kept = kept.filter((segment) => segment.rank !== rank)
  }
  return kept
}

function bar(share: number): string {
  const full = Math.floor(share * barCells)
  return '█'.repeat(full) + '░'.repeat(barCells - full)
}
