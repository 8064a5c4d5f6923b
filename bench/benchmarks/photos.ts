import type { Dataset } from '../datasets.ts'
import type { Rival } from '../pairs.ts'
import { firstCopy, firstCopySynced, opensslDigest, resticBackup } from '../peers.ts'
import type { Section } from '../sections.ts'
import { scaled, type Workbench } from '../workbench.ts'
import { firstRun, firstRunInMemory } from './first-run.ts'
import { count, photoFiles } from './specs.ts'

/** Large files in memory: what reading, hashing and writing cost. */
export async function photos(bench: Workbench): Promise<Section[]> {
  return [await firstRunInMemory(bench, { benchmark: 'photos', ...photosOf(bench), rivals: rivalsInMemory })]
}

/** The same files on a real disk: what the promise to survive a power cut costs. */
export async function photosOnDisk(bench: Workbench): Promise<Section[]> {
  return [await firstRun(bench, bench.disk, { benchmark: 'photos-disk', ...photosOf(bench), rivals: rivalsOnDisk })]
}

function photosOf(bench: Workbench) {
  const spec = photoFiles(scaled(bench, 600))
  return { spec, title: `first run, ${count(spec.files)} × 4 MB` }
}

const rivalsInMemory = (source: Dataset): Rival[] => [
  { tool: 'rclone', target: { peerOverLuminaAtLeast: 1.2 }, make: () => firstCopy('rclone', source) },
  { tool: 'restic', target: { peerOverLuminaAtLeast: 5 }, make: () => resticBackup(source) },
  { tool: 'openssl', target: { luminaOverPeerAtMost: 1.5 }, make: () => opensslDigest(source) },
  { tool: 'cp', target: { none: 'no digest' }, make: () => firstCopy('cp', source) },
  { tool: 'rsync', target: { none: 'weaker digest' }, make: () => firstCopy('rsync', source) },
]

const rivalsOnDisk = (source: Dataset): Rival[] => [
  { tool: 'rclone', target: { luminaOverPeerAtMost: 1.33 }, make: () => firstCopy('rclone', source) },
  { tool: 'rclone', target: { none: 'as durable' }, make: () => firstCopySynced(source) },
]
