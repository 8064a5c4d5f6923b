import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import {
  holdPlace,
  keepClaims,
  leavePlace,
  openCatalog,
  openPlace,
  localTarget,
  type LocalPlace,
} from '../../src/client/open.ts'
import { startLane } from '../../src/pipeline/lanes/client.ts'
import { createShared } from '../../src/pipeline/lanes/shared.ts'
import type { PipelineOptions } from '../../src/pipeline/options.ts'
import { Run, type RunResult } from '../../src/pipeline/run.ts'
import { sourcesOf } from '../../src/pipeline/sources.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lumina-network-'))
  cpSync(new URL('../../fixtures/photos', import.meta.url), join(root, 'photos'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const options: PipelineOptions = {
  task: 'upload',
  layout: '{dir}/{name}{ext}',
  prefix: '',
  onCollision: 'rename',
  allFiles: false,
  followSymlinks: false,
  rehash: false,
  dryRun: false,
  quick: false,
  detail: true,
  filters: { include: [], exclude: [], ignoreLines: [], skipFolders: [] },
}

/** The library as it is on a file system that is not this machine's own. */
function networkPlace(stateDir: string): LocalPlace {
  const place = openPlace(localTarget(join(root, 'library')), {
    holder: 'a-run',
    layers: { retries: 0 },
    stateDir,
  })
  return { ...place, volume: { ...place.volume, local: false } }
}

async function upload(stateDir: string): Promise<RunResult> {
  const place = networkPlace(stateDir)
  const hold = holdPlace(place)
  const claims = await keepClaims(place)
  const shared = createShared(2)
  const emit = (): void => undefined
  const run = new Run(sourcesOf(['photos'], root).tasks, {
    lanes: 2,
    startLane: (index) => startLane({ index, options, stateDir, placeBit: 1, place, shared }, emit),
    shared,
    emit,
    options,
    nowMs: () => performance.now(),
  })
  const result = await run.run()
  await claims.stop()
  leavePlace(place, hold)
  return result
}

test('a library on a network keeps its catalog in a log, never in a database', async () => {
  const { tally, error } = await upload(join(root, 'laptop'))
  expect(error).toBeUndefined()
  expect(tally).toMatchObject({ uploaded: 22, failed: 0 })
  expect(existsSync(join(root, 'library/.lumina/catalog.ndjson'))).toBe(true)
  expect(existsSync(join(root, 'library/.lumina/catalog.db'))).toBe(false)
})

test('another machine reads that log and sends nothing twice', async () => {
  const first = await upload(join(root, 'laptop'))
  const second = await upload(join(root, 'desktop'))
  expect(second.tally.uploaded).toBe(0)
  // the laptop met one copy of a photo; for the desktop, all that was uploaded is there as well
  expect(second.tally.skipped['already-there']).toBe(first.tally.uploaded + 1)
})

test('an epoch of such a catalog is none that an earlier one of the library had', async () => {
  await upload(join(root, 'laptop'))
  const before = await openCatalog(networkPlace(join(root, 'laptop')))
  const { epoch } = await before.identity()
  await before.close()
  rmSync(join(root, 'library/.lumina/catalog.ndjson'))
  const after = await openCatalog(networkPlace(join(root, 'laptop')))
  expect((await after.identity()).epoch).toBeGreaterThan(epoch)
  await after.close()
})
