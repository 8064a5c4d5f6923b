import type { Place } from '../client/open.ts'
import type { Config } from '../config.ts'
import type { Io } from '../report/io.ts'

export async function rebuildCatalog(_place: Place, _config: Config, _io: Io): Promise<void> {}
export async function indexLibrary(_config: Config, _path: string, _io: Io): Promise<number> {
  return 0
}
