import {
  catalogIdAt,
  type CatalogHealth,
  clearTemps,
  healCatalog,
  holdPlace,
  keepClaims,
  leavePlace,
  type LocalPlace,
  type LocalTarget,
  markFilled,
  openPlace,
} from '../../client/open.ts'
import type { Config } from '../../config.ts'
import { LuminaError } from '../../errors.ts'
import type { Io } from '../../report/io.ts'
import type { PacedReporter } from '../../report/ndjson.ts'
import { reporterFor } from '../../report/reporter.ts'
import type { Ledger } from '../../state/ledger.ts'
import { aside } from '../aside.ts'
import { leftovers, sweep } from '../doctor/temps.ts'
import { fillCatalog } from '../index-library.ts'
import { libraryOptions } from '../places.ts'
import { notice, type PlacedRun, tellSetAside, type UsePlace } from './placed-run.ts'

/** Opens a library for a run, heals it where it has to be, and leaves nothing half in it. */
export async function inLibrary(run: PlacedRun, target: LocalTarget, use: UsePlace): Promise<number> {
  const { config, io, ledger, holder } = run
  refuseOtherLibrary(config, ledger, target)
  const place = openPlace(target, libraryOptions(config, holder))
  const hold = holdPlace(place)
  try {
    const reporter = reporterFor(config, io)
    tellSetAside(run, reporter)
    if (!place.postgres) await heal(place, run, reporter)
    // on a network, nothing shows whether the run that left them lives
    if (place.volume.local) sweepOld(target, io)
    clearTemps(place, new Set(ledger.transfers(target.url).map(({ token }) => String(token['temp']))))
    const claims = await keepClaims(place)
    try {
      return await use(place, reporter)
    } finally {
      await claims.stop()
    }
  } finally {
    leavePlace(place, hold)
  }
}

/** What a run left half this long ago, nobody comes back for. */
const oldTempMs = 7 * 24 * 60 * 60 * 1000

function sweepOld(target: LocalTarget, io: Io): void {
  sweep(leftovers(target.root).filter(({ held, touchedMs }) => !held && io.now() - touchedMs > oldTempMs))
}

/** Fills a catalog that was damaged or lost from the objects themselves, so that nothing is sent again. */
async function heal(place: LocalPlace, { config, io }: PlacedRun, reporter: PacedReporter): Promise<void> {
  const { health, setAside } = await healCatalog(place)
  if (health === 'whole') return
  notice(reporter, 'catalog-rebuilt', told(health, setAside))
  const { error, ended, signals } = await fillCatalog(place, config, io, aside(reporter))
  signals.close()
  if (error) throw error
  if (ended)
    throw new LuminaError('interrupted', 'The catalog is not made again yet.', { hint: 'Run the same command again.' })
  markFilled(place)
}

function told(health: CatalogHealth, setAside: string | undefined): string {
  return `${whatOf(health, setAside)}: it is made again from the stored files.`
}

function whatOf(health: CatalogHealth, setAside: string | undefined): string {
  if (health === 'damaged') return `The catalog of the library was damaged and is set aside as ${setAside}`
  return health === 'unfilled'
    ? 'The catalog of the library was not made again to its end'
    : 'The catalog of the library is missing'
}

/** An unmounted disk leaves an empty folder: to start a library there would hide it, and fill the wrong disk. */
function refuseOtherLibrary(config: Config, ledger: Ledger, target: LocalTarget): void {
  const remembered = ledger.catalogAt(target.url)
  // a catalog elsewhere says nothing of what lies here
  if (!remembered || config.newLibrary || config.services.catalog !== undefined) return
  const there = catalogIdAt(target)
  if (there === remembered.id) return
  throw new LuminaError(
    'destination-missing',
    there === undefined
      ? `The library at ${target.root} is not there any more.`
      : `At ${target.root} lies another library than last time.`,
    { hint: 'Is its disk mounted? If it is gone for good, use --new-library.' },
  )
}
