import { rmSync } from 'node:fs'

import { datasetIn, needOf, type Dataset } from '../datasets.ts'
import { repeatedUpload } from '../lumina.ts'
import { compareAll, type Rival } from '../pairs.ts'
import { findPrintf, repeatedCopy, rsyncDryRun } from '../peers.ts'
import { freshRoom, lacksRoom } from '../places.ts'
import type { Section } from '../sections.ts'
import { scaled, type Workbench } from '../workbench.ts'
import { count, smallFiles } from './specs.ts'

/** A second run over files of which none has changed. */
export async function rerun(bench: Workbench): Promise<Section[]> {
  const { disk } = bench
  const spec = smallFiles(scaled(bench, 100_000))
  const named = {
    benchmark: 'rerun',
    title: `nothing changed, ${count(spec.files)} files of 4-20 KB, on ${disk.fileSystem}`,
  } as const
  const reason = lacksRoom(disk, needOf(disk, spec, 3))
  if (reason !== undefined) return [{ kind: 'skipped', ...named, reason }]
  const source = datasetIn(disk, spec, bench.log)
  const rooms = { ours: freshRoom(disk), rclone: freshRoom(disk), rsync: freshRoom(disk) }
  try {
    bench.log('the first upload, untimed')
    const ours = await repeatedUpload(bench.options.program, source, rooms.ours, bench)
    return [{ kind: 'pairs', ...named, comparisons: await compareAll(bench, disk, ours, rivals(bench, source, rooms)) }]
  } catch (error) {
    return [{ kind: 'void', ...named, reason: error instanceof Error ? error.message : String(error) }]
  } finally {
    for (const room of Object.values(rooms)) rmSync(room, { recursive: true, force: true })
  }
}

function rivals(bench: Workbench, source: Dataset, rooms: { rclone: string; rsync: string }): Rival[] {
  return [
    { tool: 'rclone', target: { peerOverLuminaAtLeast: 1.9 }, make: () => repeatedCopy(source, rooms.rclone, bench) },
    { tool: 'rsync', target: { peerOverLuminaAtLeast: 1 }, make: () => rsyncDryRun(source, rooms.rsync, bench) },
    { tool: 'find', target: { none: 'the limit' }, make: () => findPrintf(source) },
  ]
}
