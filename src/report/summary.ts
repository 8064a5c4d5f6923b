import type { SkipReason, SummaryEvent } from '../events.ts'
import { type Named, namedAtMost } from './failures.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { formatBytes, formatCount, formatRate, formatSeconds, plural } from './units.ts'

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

/**
 * What a person reads at the end of a run: found = uploaded + skipped + failed, what is not stored and by which name, and the line to run
 * before a card is wiped.
 * @param named the failed and the empty files, as many as are known by name
 */
export function summaryLines(summary: SummaryEvent, named: readonly Named[], style: Style): string[] {
  return [
    ...ending(summary, style),
    equation(summary, style),
    ...details(summary).map((line) => `  ${line}`),
    ...names(summary, named, style),
    ...advice(summary, style),
  ]
}

function ending({ ended, dryRun }: SummaryEvent, style: Style): string[] {
  const lines = dryRun ? ['Dry run: nothing was touched.'] : []
  if (ended === 'interrupted') lines.push('Interrupted. The same command goes on where this one stopped.')
  if (ended === 'limit') lines.push('A limit ended the run. The same command goes on where this one stopped.')
  if (ended === 'error') lines.push('An error ended the run.')
  return lines.map((line) => style('yellow', line))
}

function equation({ found, uploaded, skipped, failed, dryRun, destination }: SummaryEvent, style: Style): string {
  const failures = `${formatCount(failed)} failed`
  const verb = dryRun ? 'to upload' : 'uploaded'
  const sum = `${formatCount(uploaded)} ${verb} + ${formatCount(skipped)} skipped + ${failed > 0 ? style('red', failures) : failures}`
  return `${style('bold', `${formatCount(found)} found`)} = ${sum}, to ${printable(destination)}`
}

function details(summary: SummaryEvent): string[] {
  const lines = [amount(summary)]
  if (summary.skipped > 0) lines.push(`skipped: ${reasons(summary, allReasons).join(', ')}`)
  if (summary.lyingExtensions > 0) {
    lines.push(
      `${plural(summary.lyingExtensions, 'file is', 'files are')} not what the name's extension says; -v names them`,
    )
  }
  if (summary.datedByMtime > 0) {
    lines.push(
      `${plural(summary.datedByMtime, 'file')} dated by the file system, since nothing inside tells when it was taken`,
    )
  }
  return lines
}

function amount({ bytes, seconds, retries, dryRun }: SummaryEvent): string {
  const rate = bytes > 0 && seconds > 0 && !dryRun ? `, ${formatRate(bytes / seconds)}` : ''
  const asked = retries > 0 ? `, ${plural(retries, 'retry', 'retries')}` : ''
  return `${formatBytes(bytes)} in ${formatSeconds(seconds)}${rate}${asked}`
}

const allReasons = Object.keys(skipWords) as SkipReason[]
const unstoredReasons = allReasons.filter((reason) => reason !== 'already-there')

function reasons({ skippedBy }: SummaryEvent, among: readonly SkipReason[]): string[] {
  return among
    .filter((reason) => skippedBy[reason])
    .map((reason) => `${formatCount(skippedBy[reason] ?? 0)} ${skipWords[reason]}`)
}

function names(summary: SummaryEvent, named: readonly Named[], style: Style): string[] {
  const lines = named
    .slice(0, namedAtMost)
    .map(({ path, what }) => `  ${style('red', '✗')} ${printable(path)}: ${printable(what)}`)
  const unnamed = summary.failed + (summary.skippedBy.empty ?? 0) - lines.length
  if (unnamed > 0 && summary.failed > 0) lines.push(`  … ${formatCount(unnamed)} more: lumina status`)
  return lines
}

function advice(summary: SummaryEvent, style: Style): string[] {
  if (summary.dryRun || summary.found === 0) return []
  const failed = summary.failed > 0 ? [`${formatCount(summary.failed)} failed`] : []
  const unstored = [...failed, ...reasons(summary, unstoredReasons)]
  const verdict =
    unstored.length > 0
      ? style('yellow', `Not stored: ${unstored.join(', ')}.`)
      : style('green', 'All that was found is stored.')
  return [
    verdict,
    'Before you wipe the source, have every byte compared:',
    `  ${style('bold', printable(summary.verify))}`,
  ]
}
