import { drawCurve } from './flatness.ts'
import type { Usage } from './measure.ts'
import { notInstalled, type Comparison } from './pairs.ts'
import { ratioOf, targetText, verdictOf } from './ratio.ts'
import type { MemoryRow, MemorySection, PairsSection, Section } from './sections.ts'
import { medianOf } from './statistics.ts'
import { markdownTable, plainTable, type Row } from './table.ts'

export interface ReportStyle {
  readonly markdown: boolean
  /** The targets are for full sizes: a verdict over others is none. */
  readonly fullSize: boolean
}

export function reportOf(section: Section, style: ReportStyle): string {
  const heading = `${style.markdown ? '### ' : ''}${section.benchmark}: ${section.title}`
  const parts = 'reason' in section ? [`${section.kind}: ${section.reason}`] : bodyOf(section, style)
  const gap = style.markdown ? '\n\n' : '\n'
  return [heading, ...parts.filter((part) => part !== '')].join(gap)
}

function bodyOf(section: PairsSection | MemorySection, style: ReportStyle): string[] {
  const rows = section.kind === 'pairs' ? pairRows(section, style) : memoryRows(section, style)
  const notes = section.kind === 'pairs' ? pairNotes(section) : memoryNotes(section, style)
  const lines = notes.map((note) => (style.markdown ? `- ${note}` : `  ${note}`)).join('\n')
  return [rows.length > 1 ? (style.markdown ? markdownTable(rows) : plainTable(rows)) : '', lines]
}

function pairRows({ comparisons }: PairsSection, style: ReportStyle): Row[] {
  const head = [
    'against',
    'lumina s',
    'CPU s',
    'RSS MB',
    'peer s',
    'CPU s',
    'RSS MB',
    'ratio',
    '(min-max)',
    '',
    'target',
    '',
  ]
  return [head, ...comparisons.filter((comparison) => comparison.void === undefined).map((c) => pairRow(c, style))]
}

function pairRow(comparison: Comparison, style: ReportStyle): Row {
  const { ours, theirs, peer, target } = comparison
  const ratio = ratioOf(comparison)
  if (ratio === undefined) return [peer]
  const range = `(${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`
  const verdict = verdictIn(style, verdictOf(target, ratio))
  const figures = [...usageCells(ours), ...usageCells(theirs), ratio.median.toFixed(2), range]
  return [peer, ...figures, ratio.direction, targetText(target), verdict]
}

/** Medians of wall, CPU and the peaks of memory. */
function usageCells(usages: readonly Usage[]): string[] {
  const wall = medianOf(usages.map((usage) => usage.wallSeconds))
  const cpu = usages.flatMap((usage) => usage.cpuSeconds ?? [])
  const peaks = usages.flatMap((usage) => usage.peakRssBytes ?? [])
  return [
    seconds(wall),
    cpu.length === 0 ? '-' : seconds(medianOf(cpu)),
    peaks.length === 0 ? '-' : megabytes(medianOf(peaks)),
  ]
}

function pairNotes({ comparisons }: PairsSection): string[] {
  return comparisons.map(({ peer, besides, void: reason }) => {
    if (reason === undefined) return `${peer}: ${besides}`
    return reason === notInstalled ? `${peer}: skipped, ${reason}` : `${peer}: VOID, ${reason}`
  })
}

function memoryRows({ rows }: MemorySection, style: ReportStyle): Row[] {
  const head = [
    'source',
    'on',
    'peak MB',
    'target',
    '',
    'first third MB',
    'last third MB',
    'MB/min',
    '',
    'wall s',
    'MB/s',
  ]
  return [head, ...rows.filter((row) => row.void === undefined).map((row) => memoryRow(row, style))]
}

function memoryRow(row: MemoryRow, style: ReportStyle): Row {
  const { source, fileSystem, peakRssBytes, targetMegabytes, flatness, wallSeconds, sourceBytes } = row
  const met = peakRssBytes === undefined ? '' : peakRssBytes <= targetMegabytes * 1e6 ? 'met' : 'missed'
  const trend =
    flatness === undefined
      ? ['-', '-', '-', '-']
      : [
          megabytes(flatness.firstThirdBytes),
          megabytes(flatness.lastThirdBytes),
          (flatness.bytesPerMinute / 1e6).toFixed(1),
          flatness.verdict,
        ]
  const peak = peakRssBytes === undefined ? '-' : megabytes(peakRssBytes)
  const speed =
    wallSeconds === undefined ? ['-', '-'] : [seconds(wallSeconds), (sourceBytes / 1e6 / wallSeconds).toFixed(0)]
  return [source, fileSystem, peak, `≤ ${targetMegabytes}`, verdictIn(style, met), ...trend, ...speed]
}

function memoryNotes({ rows }: MemorySection, { markdown }: ReportStyle): string[] {
  return rows.flatMap(({ source, void: reason, flatness }) => {
    if (reason !== undefined) return [`${source}: VOID, ${reason}`]
    if (flatness === undefined) return []
    const curve = drawCurve(flatness.curve)
    return [`${markdown ? `\`${curve}\`` : curve}  ${source}`]
  })
}

const verdictIn = ({ fullSize }: ReportStyle, verdict: string): string =>
  verdict === '' || fullSize ? verdict : `(${verdict})`

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
const seconds = (value: number): string => value.toFixed(value < 1 ? 3 : 2)
