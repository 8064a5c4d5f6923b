import type { Target } from './contender.ts'
import type { Comparison } from './pairs.ts'
import { spreadOf, type Spread } from './statistics.ts'

/** How two contenders compare, pair by pair, in the direction in which the target is said. */
export interface Ratio extends Spread {
  readonly direction: 'peer ÷ lumina' | 'lumina ÷ peer'
}

export function ratioOf({ ours, theirs, target }: Comparison): Ratio | undefined {
  const pairs = ours.flatMap((usage, pair) => {
    const other = theirs[pair]
    return other === undefined ? [] : [{ ours: usage.wallSeconds, theirs: other.wallSeconds }]
  })
  if (pairs.length === 0) return undefined
  const luminaFirst = 'luminaOverPeerAtMost' in target
  const ratios = pairs.map((pair) => (luminaFirst ? pair.ours / pair.theirs : pair.theirs / pair.ours))
  return { direction: luminaFirst ? 'lumina ÷ peer' : 'peer ÷ lumina', ...spreadOf(ratios) }
}

export function targetText(target: Target): string {
  if ('none' in target) return `none: ${target.none}`
  if ('luminaOverPeerAtMost' in target) return `≤ ${target.luminaOverPeerAtMost}`
  return target.peerOverLuminaAtLeast === 1 ? '> 1' : `≥ ${target.peerOverLuminaAtLeast}`
}

export function verdictOf(target: Target, { median }: Ratio): string {
  if ('none' in target) return ''
  const met =
    'luminaOverPeerAtMost' in target ? median <= target.luminaOverPeerAtMost : median >= target.peerOverLuminaAtLeast
  return met ? 'met' : 'missed'
}
