import type { Dataset } from '../datasets.ts'
import type { Rival } from '../pairs.ts'
import { firstCopy, resticBackup } from '../peers.ts'
import type { Section } from '../sections.ts'
import { scaled, type Workbench } from '../workbench.ts'
import { firstRunInMemory } from './first-run.ts'
import { count, smallFiles } from './specs.ts'

/** Small files in memory, few and many: what one more file costs. */
export async function small(bench: Workbench): Promise<Section[]> {
  const sections: Section[] = []
  for (const files of [5000, 100_000]) sections.push(await smallOf(bench, scaled(bench, files)))
  return sections
}

function smallOf(bench: Workbench, files: number): Promise<Section> {
  const title = `first run, ${count(files)} files of 4-20 KB`
  return firstRunInMemory(bench, { benchmark: 'small', title, spec: smallFiles(files), rivals })
}

const rivals = (source: Dataset): Rival[] => [
  { tool: 'rclone', target: { peerOverLuminaAtLeast: 1.8 }, make: () => firstCopy('rclone', source) },
  { tool: 'restic', target: { peerOverLuminaAtLeast: 5 }, make: () => resticBackup(source) },
]
