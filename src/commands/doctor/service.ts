import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { openCatalog, openDestination, type RemotePlace, type SupabaseTarget } from '../../client/open.ts'
import type { CallContext, Destination } from '../../client/destination.ts'
import type { Config } from '../../config.ts'
import type { Io } from '../../report/io.ts'
import { aside } from '../aside.ts'
import { openService } from '../places.ts'
import { reporterFor } from '../../report/reporter.ts'
import { type Finding, note, ok } from './finding.ts'

const call: CallContext = { signal: new AbortController().signal, checkpoint: () => undefined }

/** Whether a service lets us in, shows what is stored, and has a catalog. Nothing is stored there. */
export async function checkService(target: SupabaseTarget, config: Config, io: Io): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lumina-doctor-'))
  const reporter = aside(reporterFor({ ...config, quiet: true, json: false }, io))
  try {
    const place = await openService(target, { ...config, state: folder }, 'doctor', reporter, { make: false })
    return [...(await checkReading(place)), await checkCatalog(place)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function checkReading(place: RemotePlace): Promise<Finding[]> {
  const destination = await openDestination(place, 0)
  try {
    const shown = await anyUnder(destination, place.target.prefix)
    if (shown) return [ok('destination', `${place.target.shown} lets us in and shows what is stored`)]
    return [
      note(
        'destination',
        `${place.target.shown} shows nothing: it is empty, or this login may not list it`,
        'with an insert-only policy an upload still works; `lumina verify` needs one that reads',
      ),
    ]
  } finally {
    await destination.close?.()
  }
}

async function anyUnder(destination: Destination, prefix: string): Promise<boolean> {
  const listed = destination.list?.(prefix === '' ? '' : `${prefix}/`, call)
  if (!listed) return false
  for await (const _ of listed) return true
  return false
}

async function checkCatalog(place: RemotePlace): Promise<Finding> {
  if (place.catalogId === 'none')
    return note(
      'catalog',
      'the bucket has no catalog yet; the first upload begins one of plain files',
      '`lumina init supabase` sets up one in the database, with which racing machines send each content once',
    )
  const catalog = await openCatalog(place)
  try {
    const { epoch } = await catalog.identity()
    return ok('catalog', `${catalogNames[place.catalog.kind]} (epoch ${epoch})`)
  } finally {
    await catalog.close()
  }
}

const catalogNames = {
  postgres: 'catalog in the database of LUMINA_CATALOG',
  functions: "catalog in the project's database",
  segments: 'catalog of plain files in the bucket: two machines at once may send one content twice',
} as const
