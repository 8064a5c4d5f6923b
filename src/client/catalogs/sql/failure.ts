import { LuminaError, type LuminaErrorOptions } from '../../../errors.ts'

type Meaning = (place: string, state: string, options: LuminaErrorOptions) => LuminaError

const unreachable: Meaning = (place, _, options) => unreachableDatabase(place, options)

const busy: Meaning = (place, state, options) =>
  new LuminaError('destination-busy', `${place} is too busy for the catalog (${state}).`, {
    ...options,
    retry: 'transient',
  })

const missing: Meaning = (place, _, options) =>
  new LuminaError('destination-missing', `${place} has no catalog of Lumina.`, {
    ...options,
    hint: 'Set it up once with: lumina init supabase',
  })

const refused: Meaning = (place, _, options) =>
  new LuminaError('destination-refused', `${place} does not let this user in.`, {
    ...options,
    hint: 'Check the user and the password in LUMINA_CATALOG.',
  })

/** By SQLSTATE, or its class. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const meanings: Readonly<Record<string, Meaning>> = {
  '08': unreachable,
  '28': refused,
  '40': busy,
  '53': busy,
  '57': unreachable,
  // the statement took too long, or waited too long for a lock
  '57014': busy,
  '55P03': busy,
  // somebody else was first: the next look tells
  '23505': busy,
  '3F000': missing,
  '42883': missing,
  '42P01': missing,
  '3D000': (place, _, options) =>
    new LuminaError('destination-missing', `There is no such database at ${place}.`, {
      ...options,
      hint: 'Check the name of the database in LUMINA_CATALOG.',
    }),
  '42501': (place, _, options) =>
    new LuminaError('destination-refused', `This user may not do that in the catalog of ${place}.`, {
      ...options,
      hint: 'Its owner grants what is needed, or sets the catalog up anew with: lumina init supabase',
    }),
  '25006': (place, _, options) =>
    new LuminaError('destination-read-only', `${place} can only be read at the moment.`, {
      ...options,
      hint: 'Is LUMINA_CATALOG the address of a replica?',
    }),
  '53100': (place, _, options) =>
    new LuminaError('destination-full', `The disk of ${place} is full.`, {
      ...options,
      hint: 'Free some space there; everything stored so far stays.',
    }),
}

/** What a refusal of the database at `place` means for the run. */
export function databaseFailure(place: string, state: string, options: LuminaErrorOptions): LuminaError {
  const meaning = meanings[state] ?? meanings[state.slice(0, 2)]
  if (meaning) return meaning(place, state, options)
  return new LuminaError('io', `The catalog of ${place} failed (${state}).`, options)
}

export function unreachableDatabase(place: string, options: LuminaErrorOptions): LuminaError {
  return new LuminaError('destination-unreachable', `${place} can't be reached.`, {
    ...options,
    retry: 'transient',
    hint: 'Is the network up, and the database running? What is stored so far stays; run the same command again.',
  })
}
