import { keepClaims, type SupabaseTarget } from '../../client/open.ts'
import { reporterFor } from '../../report/reporter.ts'
import { openService } from '../places.ts'
import { notice, type PlacedRun, tellSetAside, type UsePlace } from './placed-run.ts'

/** Opens a service for a run, and keeps what the run claims there for as long as it lasts. */
export async function inService(run: PlacedRun, target: SupabaseTarget, use: UsePlace): Promise<number> {
  const { config, io, holder } = run
  const reporter = reporterFor(config, io)
  try {
    tellSetAside(run, reporter)
    const place = await openService(target, config, holder, reporter, { make: true })
    if (place.catalog.kind === 'segments') notice(reporter, 'names-with-digests', withoutDatabase)
    const claims = await keepClaims(place)
    try {
      return await use(place, reporter)
    } finally {
      await claims.stop()
    }
  } finally {
    reporter.close()
  }
}

const withoutDatabase =
  'The project has no catalog functions: names carry digits of their contents, and two machines at once may send one content twice. ' +
  '`lumina init supabase` sets them up.'
