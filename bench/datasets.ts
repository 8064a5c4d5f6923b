import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { randomBetween, randomFrom, writeJpeg } from './jpegs.ts'
import type { Need, Place } from './places.ts'
import { treeOf, type Tree } from './tree.ts'

/** What a source folder holds. Equal words make equal bytes, on every machine. */
export interface DatasetSpec {
  readonly label: string
  readonly files: number
  readonly filesPerFolder: number
  readonly minBytes: number
  readonly maxBytes: number
}

export interface Dataset extends Tree {
  readonly path: string
}

// Part of every folder's name: raise it whenever the same words would make other bytes.
const generation = 1
const oldestMtimeSeconds = Date.UTC(2021, 0, 1) / 1000

/** A dataset in a place: made once, and from then on found. */
export function datasetIn(place: Place, spec: DatasetSpec, log: (line: string) => void): Dataset {
  const path = pathOf(place, spec)
  if (!existsSync(path)) {
    log(`making the source '${spec.label}' of ${spec.files.toLocaleString('en')} on ${place.fileSystem}`)
    makeWhole(path, spec)
  }
  return { path, ...treeOf(path) }
}

/** What has to be free for a dataset that may be there already and for as many libraries beside it. */
export function needOf(place: Place, spec: DatasetSpec, libraries: number): Need {
  const copies = libraries + (existsSync(pathOf(place, spec)) ? 0 : 1)
  const averageBytes = (spec.minBytes + spec.maxBytes) / 2
  return { bytes: copies * spec.files * averageBytes, files: copies * spec.files }
}

function pathOf(place: Place, spec: DatasetSpec): string {
  const { label, files, filesPerFolder, minBytes, maxBytes } = spec
  return join(place.root, 'data', `${label}-${files}-${filesPerFolder}-${minBytes}-${maxBytes}-v${generation}`)
}

/** All or nothing, so that a dataset that is there is complete, and two benches may make it at once. */
function makeWhole(path: string, spec: DatasetSpec): void {
  const partial = `${path}.${process.pid}.partial`
  rmSync(partial, { recursive: true, force: true })
  make(partial, spec)
  if (existsSync(path)) rmSync(partial, { recursive: true })
  else renameSync(partial, path)
}

function make(root: string, spec: DatasetSpec): void {
  const random = randomFrom(JSON.stringify(spec))
  for (let made = 0, folder = 1; made < spec.files; folder++) {
    const path = join(root, `card-${String(folder).padStart(4, '0')}`)
    mkdirSync(path, { recursive: true })
    const end = Math.min(made + spec.filesPerFolder, spec.files)
    for (; made < end; made++) {
      const bytes = randomBetween(random, spec.minBytes, spec.maxBytes)
      writeJpeg(join(path, `IMG_${String(made + 1).padStart(7, '0')}.jpg`), bytes, random, oldestMtimeSeconds + made)
    }
  }
}
