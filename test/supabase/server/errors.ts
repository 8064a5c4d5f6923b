/**
 * What the service says when it refuses. Its HTTP status is 400, whatever the body's `statusCode` is, save for 500, 544 and 429.
 */
export class StorageError extends Error {
  readonly statusCode: number
  readonly code: string
  readonly error: string

  constructor(statusCode: number, code: string, message: string, error = code) {
    super(message)
    this.statusCode = statusCode
    this.code = code
    this.error = error
  }

  get httpStatus(): number {
    return [429, 500, 544].includes(this.statusCode) ? this.statusCode : 400
  }

  /** The body, in which `statusCode` is a string. */
  toJSON(): { statusCode: string; error: string; message: string; code: string } {
    return { statusCode: String(this.statusCode), error: this.error, message: this.message, code: this.code }
  }
}

export const refusals = {
  noSuchBucket: () => new StorageError(404, 'NoSuchBucket', 'Bucket not found', 'Bucket not found'),
  noSuchKey: () => new StorageError(404, 'NoSuchKey', 'Object not found', 'not_found'),
  keyAlreadyExists: () => new StorageError(409, 'KeyAlreadyExists', 'The resource already exists', 'Duplicate'),
  bucketAlreadyExists: () => new StorageError(409, 'BucketAlreadyExists', 'The resource already exists', 'Duplicate'),
  accessDenied: (message: string) => new StorageError(403, 'AccessDenied', message, 'Unauthorized'),
  rowSecurity: () => refusals.accessDenied('new row violates row-level security policy'),
  entityTooLarge: () =>
    new StorageError(413, 'EntityTooLarge', 'The object exceeded the maximum allowed size', 'Payload too large'),
  invalidMimeType: (type: string) =>
    new StorageError(415, 'InvalidMimeType', `mime type ${type} is not supported`, 'invalid_mime_type'),
  invalidKey: (key: string) => new StorageError(400, 'InvalidKey', `Invalid key: ${key}`),
  invalidRange: () => new StorageError(400, 'InvalidRange', 'invalid range provided', 'invalid_range'),
  invalidRequest: (message: string) => new StorageError(400, 'InvalidRequest', message, 'Error'),
  invalidSignature: (message: string) => new StorageError(400, 'InvalidSignature', message),
  invalidChecksum: () => new StorageError(400, 'InvalidChecksum', 'The content does not match its checksum'),
  lockTimeout: () => new StorageError(503, 'LockTimeout', 'acquiring lock timeout', 'acquiring_lock_timeout'),
  slowDown: () => new StorageError(429, 'SlowDown', 'Too many connections issued to the database'),
  databaseTimeout: () => new StorageError(544, 'DatabaseTimeout', 'The connection to the database timed out'),
  databaseError: (message: string) => new StorageError(500, 'DatabaseError', message),
  internalError: () => new StorageError(500, 'InternalError', 'Internal server error'),
  noRoute: (method: string, path: string) => new StorageError(404, 'NotFound', `Route ${method}:${path} not found`),
}
