import type { IndexSummaryEvent, SummaryEvent, VerifySummaryEvent } from '../events.ts'
import { type Named, namedAtMost } from './failures.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { formatBytes, formatCount, formatRate, formatSeconds, plural } from './units.ts'
import { countsOf, notStoredWords, skipWords } from './words.ts'

/**
 * What a person reads at the end of an upload: found = uploaded + skipped + failed, what is not stored and by which name, and the line to
 * run before a card is wiped.
 * @param named the failed and the empty files, as many as are known by name
 */
export function summaryLines(summary: SummaryEvent, named: readonly Named[], style: Style): string[] {
  const { found, uploaded, skipped, failed, dryRun, destination } = summary
  const parts = [
    `${formatCount(uploaded)} ${dryRun ? 'to upload' : 'uploaded'}`,
    `${formatCount(skipped)} skipped`,
    failedPart(failed, style),
  ]
  return [
    ...(dryRun ? [style('yellow', 'Dry run: nothing was touched.')] : []),
    ...ending(summary, 'The same command goes on where this one stopped.', style),
    `${equation(found, parts, style)}, to ${printable(destination)}`,
    ...details(summary).map((line) => `  ${line}`),
    ...names(summary, named, style),
    ...advice(summary, style),
  ]
}

/** What a person reads at the end of `lumina verify`: whether the source may be wiped. */
export function verifySummaryLines(summary: VerifySummaryEvent, style: Style): string[] {
  const { found, verified, notStored, notStoredBy, destination } = summary
  const missing = `${formatCount(notStored)} not stored`
  const parts = [`${formatCount(verified)} stored`, notStored > 0 ? style('red', missing) : missing]
  return [
    ...ending(summary, 'Not every file was looked at.', style),
    `${equation(found, parts, style)}, at ${printable(destination)}`,
    `  ${amount(summary)}`,
    ...(notStored > 0 ? [`  not stored: ${countsOf(notStoredWords, notStoredBy).join(', ')}`] : []),
    verdict(summary, style),
  ]
}

function verdict({ safeToWipe, quick, found, verified, ended }: VerifySummaryEvent, style: Style): string {
  if (safeToWipe && quick)
    return style('green', 'Safe to wipe, as far as the catalog knows: --quick did not read what is stored.')
  if (safeToWipe) return style('green', 'Safe to wipe: every byte that was found is stored.')
  if (found === 0) return style('red', 'NOT safe to wipe: no file was found to compare.')
  if (verified === found && ended === undefined)
    return style('red', 'NOT safe to wipe: all of it is stored, but in a library inside the source.')
  return style(
    'red',
    `NOT safe to wipe: ${ended === undefined ? 'not all of it is stored.' : 'the comparison did not come to its end.'}`,
  )
}

export function indexSummaryLines(summary: IndexSummaryEvent, style: Style): string[] {
  const { found, indexed, skipped, failed, skippedBy, destination } = summary
  const parts = [
    `${formatCount(indexed)} taken into the catalog`,
    `${formatCount(skipped)} skipped`,
    failedPart(failed, style),
  ]
  return [
    ...ending(summary, 'The same command goes on where this one stopped.', style),
    `${equation(found, parts, style)}, in ${printable(destination)}`,
    `  ${amount(summary)}`,
    ...(skipped > 0 ? [`  skipped: ${countsOf(skipWords, skippedBy).join(', ')}`] : []),
  ]
}

function ending({ ended }: Pick<SummaryEvent, 'ended'>, next: string, style: Style): string[] {
  switch (ended) {
    case 'interrupted':
      return [style('yellow', `Interrupted. ${next}`)]
    case 'limit':
      return [style('yellow', `A limit ended the run. ${next}`)]
    case 'error':
      return [style('red', 'An error ended the run.')]
    default:
      return []
  }
}

function equation(found: number, parts: readonly string[], style: Style): string {
  return `${style('bold', `${formatCount(found)} found`)} = ${parts.join(' + ')}`
}

function failedPart(failed: number, style: Style): string {
  const text = `${formatCount(failed)} failed`
  return failed > 0 ? style('red', text) : text
}

function details(summary: SummaryEvent): string[] {
  const { skipped, skippedBy, lyingExtensions, datedByMtime } = summary
  const lines = [amount(summary)]
  if (skipped > 0) lines.push(`skipped: ${countsOf(skipWords, skippedBy).join(', ')}`)
  if (lyingExtensions > 0) {
    lines.push(`${plural(lyingExtensions, 'file is', 'files are')} not what the name's extension says; -v names them`)
  }
  if (datedByMtime > 0) {
    lines.push(`${plural(datedByMtime, 'file')} dated by the file system, since nothing inside tells when it was taken`)
  }
  return lines
}

interface Amount {
  bytes: number
  seconds: number
  retries?: number
  dryRun?: boolean
}

function amount({ bytes, seconds, retries = 0, dryRun = false }: Amount): string {
  const rate = bytes > 0 && seconds > 0 && !dryRun ? `, ${formatRate(bytes / seconds)}` : ''
  const asked = retries > 0 ? `, ${plural(retries, 'retry', 'retries')}` : ''
  return `${formatBytes(bytes)} in ${formatSeconds(seconds)}${rate}${asked}`
}

function names({ failed, skippedBy }: SummaryEvent, named: readonly Named[], style: Style): string[] {
  const lines = named
    .slice(0, namedAtMost)
    .map(({ path, what }) => `  ${style('red', '✗')} ${printable(path)}: ${printable(what)}`)
  const unnamed = failed + (skippedBy.empty ?? 0) - lines.length
  if (unnamed > 0) lines.push(`  … ${formatCount(unnamed)} more: lumina status -v`)
  return lines
}

function advice(summary: SummaryEvent, style: Style): string[] {
  if (summary.dryRun || summary.found === 0) return []
  const unstored = countsOf(
    { failed: 'failed', ...skipWords },
    { ...summary.skippedBy, failed: summary.failed, 'already-there': 0 },
  )
  const all = unstored.length === 0
  return [
    all ? style('green', 'All that was found is stored.') : style('yellow', `Not stored: ${unstored.join(', ')}.`),
    'Before you wipe the source, have every byte compared:',
    `  ${style('bold', printable(summary.verify))}`,
  ]
}
