/** What went wrong, as a stable word: it stands in events (`failed.code`), in the ledger and in tests. */
export type ErrorCode =
  // what the person asked for
  | 'usage'
  | 'config'
  | 'no-such-path'
  | 'no-destination'
  | 'lock-held'
  // one asset
  | 'unreadable'
  | 'vanished'
  | 'changed-while-reading'
  | 'too-large'
  | 'key-invalid'
  | 'kind-refused'
  | 'key-taken'
  | 'held'
  | 'unconfirmed'
  | 'checksum-mismatch'
  // the destination as a whole
  | 'destination-missing'
  | 'destination-refused'
  | 'destination-full'
  | 'destination-read-only'
  | 'destination-unreachable'
  | 'destination-busy'
  | 'not-found'
  // this machine's own state
  | 'state-corrupt'
  | 'state-newer'
  | 'interrupted'
  | 'limit'
  | 'io'
  | 'bug'

/** `transient`: asking again may help; `exhausted`: a layer has asked again and gave up; `never`: asking again cannot help. */
export type Retry = 'never' | 'transient' | 'exhausted'

export interface LuminaErrorOptions {
  retry?: Retry
  /** What the other side asked us to wait before the next try. */
  retryAfterMs?: number
  /** What the person can do about it, as one sentence. */
  hint?: string
  cause?: unknown
}

/** An error that a person can act on. Anything else that is thrown is a bug. Its text never holds a secret. */
export class LuminaError extends Error {
  override readonly name = 'LuminaError'
  readonly code: ErrorCode
  readonly retry: Retry
  readonly retryAfterMs: number | undefined
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: LuminaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? 'never'
    this.retryAfterMs = options.retryAfterMs
    this.hint = options.hint
  }
}

const endsTheRun: ReadonlySet<ErrorCode> = new Set([
  'usage',
  'config',
  'no-such-path',
  'no-destination',
  'lock-held',
  'destination-missing',
  'destination-refused',
  'destination-full',
  'destination-read-only',
  'destination-unreachable',
  'state-corrupt',
  'state-newer',
  'interrupted',
  'limit',
  'bug',
])

/** Whether every further asset would meet the same error, so that the run ends instead of failing each of them. */
export function endsRun(error: unknown): boolean {
  return !(error instanceof LuminaError) || endsTheRun.has(error.code)
}

/** One exit code a cause: DESIGN.md, "The command line". */
export const exitCodes = {
  done: 0,
  someFailed: 1,
  usage: 2,
  refused: 4,
  unreachable: 5,
  nothingToDo: 9,
  limit: 10,
  lockHeld: 11,
  /** Of SIGINT; a run that hears another signal says so itself. */
  interrupted: 130,
  bug: 70,
} as const

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof LuminaError)) return exitCodes.bug
  switch (error.code) {
    case 'usage':
    case 'config':
    case 'no-such-path':
    case 'no-destination':
    case 'state-newer':
      return exitCodes.usage
    case 'destination-missing':
    case 'destination-refused':
    case 'destination-full':
    case 'destination-read-only':
      return exitCodes.refused
    case 'destination-unreachable':
    case 'destination-busy':
      return exitCodes.unreachable
    case 'limit':
      return exitCodes.limit
    case 'lock-held':
      return exitCodes.lockHeld
    case 'interrupted':
      return exitCodes.interrupted
    case 'bug':
      return exitCodes.bug
    default:
      return exitCodes.someFailed
  }
}

/** The part of a `LuminaError` that survives a thread border, an event and the ledger. */
export interface ErrorReport {
  code: ErrorCode
  message: string
  hint?: string
  retry?: Retry
}

export function reportOf(error: unknown): ErrorReport {
  if (error instanceof LuminaError) {
    return {
      code: error.code,
      message: error.message,
      retry: error.retry,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    }
  }
  return { code: 'bug', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

export function errorFrom(report: ErrorReport): LuminaError {
  const { code, message, ...options } = report
  return new LuminaError(code, message, options)
}

/** The `code` of a system error (`ENOENT`, ...), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}
