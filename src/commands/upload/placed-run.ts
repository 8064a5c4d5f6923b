import type { Place } from '../../client/open.ts'
import type { Config } from '../../config.ts'
import type { Io } from '../../report/io.ts'
import type { PacedReporter } from '../../report/ndjson.ts'
import type { Ledger } from '../../state/ledger.ts'

/** What is settled of a run before its destination is opened. */
export interface PlacedRun {
  config: Config
  io: Io
  ledger: Ledger
  holder: string
}

/** What is done while a destination is open, and held; resolves with the exit code. */
export type UsePlace = (place: Place, reporter: PacedReporter) => Promise<number>

export function notice(reporter: PacedReporter, code: string, message: string): void {
  reporter.event({ event: 'notice', code, message })
}

export function tellSetAside({ ledger }: PlacedRun, reporter: PacedReporter): void {
  if (ledger.setAside !== undefined)
    notice(reporter, 'ledger-rebuilt', `The ledger was damaged; it is set aside as ${ledger.setAside}.`)
}
