import type { Contender } from '../contender.ts'
import { luminaCommand } from '../lumina.ts'
import type { Command } from '../measure.ts'
import { compareAll } from '../pairs.ts'
import type { Section } from '../sections.ts'
import type { Workbench } from '../workbench.ts'

// One start is too short to time: the clock of one process and the start of the bench's own child would weigh too much.
const startsInARow = 10

/** How long until a program that does nothing has ended. */
export async function start(bench: Workbench): Promise<Section[]> {
  const place = typeof bench.tmpfs === 'string' ? bench.disk : bench.tmpfs
  const ours = inARow('lumina --version', luminaCommand(bench.options.program, ['--version']), '')
  const bare = inARow('node -e 0', { program: process.execPath, args: ['-e', '0'] }, 'loads nothing at all: the limit')
  const rivals = [{ tool: 'sh', target: { luminaOverPeerAtMost: 1.3 }, make: () => bare }]
  const title = `start and end, the mean of ${startsInARow} in a row`
  return [{ kind: 'pairs', benchmark: 'start', title, comparisons: await compareAll(bench, place, ours, rivals) }]
}

function inARow(name: string, { program, args }: Command, besides: string): Contender {
  const script = `i=0; while [ $i -lt ${startsInARow} ]; do "$@" || exit; i=$((i+1)); done`
  const command = { program: 'sh', args: ['-c', script, 'sh', program, ...args] }
  return { name, besides, trial: async () => ({ command, repeats: startsInARow }) }
}
