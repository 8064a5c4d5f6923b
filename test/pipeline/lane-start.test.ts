import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { openPlace, localTarget } from '../../src/client/open.ts'
import { startLane } from '../../src/pipeline/lanes/client.ts'
import type { LaneSettings } from '../../src/pipeline/lanes/entry.ts'
import { createShared } from '../../src/pipeline/lanes/shared.ts'

test('a lane that cannot start says why', async () => {
  const root = mkdtempSync(join(tmpdir(), 'lumina-lane-'))
  const place = openPlace(localTarget(join(root, 'library')), {
    holder: 'a-run',
    layers: { retries: 0 },
    stateDir: root,
  })
  // a folder where the catalog should be: SQLite can't open it
  mkdirSync(join(root, 'library/.lumina/catalog.db'))
  const options = {
    task: 'upload',
    layout: '{dir}/{name}{ext}',
    prefix: '',
    onCollision: 'rename',
    allFiles: false,
    followSymlinks: false,
    rehash: false,
    dryRun: false,
    quick: false,
    detail: false,
    filters: { include: [], exclude: [], ignoreLines: [], skipFolders: [] },
  } as const
  const lane = startLane(
    { index: 0, options, stateDir: root, placeBit: 1, place, shared: createShared(1) },
    () => undefined,
  )
  await expect(lane.scan([])).rejects.toThrow(/unable to open database file/)
  await lane.close()
  rmSync(root, { recursive: true, force: true })
})

test('a lane whose thread ended closes all the same', async () => {
  const lane = startLane({ index: 0 } as LaneSettings, () => undefined)
  await expect(lane.scan([])).rejects.toThrow()
  await expect(lane.scan([])).rejects.toThrow()
  await lane.close()
})
