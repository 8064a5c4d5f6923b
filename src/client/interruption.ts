import { LuminaError } from '../errors.ts'

/** Why `signal` was aborted, as an error that ends the run. */
export function interruption(signal: AbortSignal): LuminaError {
  const reason: unknown = signal.reason
  return reason instanceof LuminaError
    ? reason
    : new LuminaError('interrupted', 'The run was stopped.', { cause: reason })
}
