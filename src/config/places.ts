import { join } from 'node:path'

import envPaths from 'env-paths'

/** Where this machine keeps what is the user's own. */
export interface Places {
  /** The user's settings. */
  readonly userFile: string
  /** The ledger, crash reports. */
  readonly stateDir: string
}

/**
 * The usual places of the platform. On Linux state goes to XDG_STATE_HOME; elsewhere to the folder for data, since what lies in
 * macOS's folder for logs may be cleaned away, and the ledger with it.
 */
export function defaultPlaces(): Places {
  const paths = envPaths('lumina', { suffix: '' })
  const hasStateHome = process.platform !== 'darwin' && process.platform !== 'win32'
  return { userFile: join(paths.config, 'config.json'), stateDir: hasStateHome ? paths.log : paths.data }
}
