import { LuminaError, systemCode } from '../errors.ts'

/** What a system error at the library means for the run. */
export function failure(error: unknown, what: string): unknown {
  if (error instanceof LuminaError) return error
  const code = systemCode(error)
  const options = { cause: error }
  switch (code) {
    case undefined:
      return error
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return code === 'EFBIG'
        ? new LuminaError('too-large', `The file system of the library takes no file as large as ${what}.`, options)
        : new LuminaError('destination-full', `The library is full: ${what} could not be written.`, {
            ...options,
            hint: 'Free some space, or choose another --to; everything stored so far stays.',
          })
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new LuminaError('destination-read-only', `The library can't be written: ${what} (${code}).`, {
        ...options,
        hint: 'Check who owns the folder and whether its disk is mounted read-only.',
      })
    case 'ENOENT':
    case 'ENODEV':
    case 'ENXIO':
    case 'ESTALE':
      return new LuminaError('destination-missing', `The library went away: ${what} (${code}).`, {
        ...options,
        hint: 'Is its disk still mounted?',
      })
    case 'ENAMETOOLONG':
    case 'EILSEQ':
    case 'ENOTDIR':
      return new LuminaError('key-invalid', `The library can't hold a file named ${what} (${code}).`, options)
    default:
      return new LuminaError('io', `The library failed at ${what} (${code}).`, { ...options, retry: 'transient' })
  }
}
