import { LuminaError } from '../../../errors.ts'
import type { Source } from '../../destination.ts'

export function changed(): LuminaError {
  return new LuminaError('changed-while-reading', 'The file changed while it was read.', { retry: 'transient' })
}

/** What is kept beside an object. */
export function described({ digest, name, modifiedMs, takenAt }: Source): Record<string, string> {
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(name === undefined ? {} : { name }),
    ...(modifiedMs === undefined ? {} : { mtime: new Date(modifiedMs).toISOString() }),
    ...(takenAt === undefined ? {} : { taken: takenAt }),
  }
}
