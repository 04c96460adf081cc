import { HowdahError, sqlState, errorText as textOf } from '@howdah/core'

/** Codes thrown by `@howdah/queue`. Each is explained in `docs/errors.md`. */
export type QueueErrorCode =
  | 'QUEUE_INVALID_OPTION'
  | 'QUEUE_INVALID_PAYLOAD'
  | 'QUEUE_INVALID_OUTPUT'
  | 'QUEUE_PAYLOAD_TOO_LARGE'
  | 'QUEUE_LEASE_LOST'
  | 'QUEUE_JOB_CANCELLED'
  | 'QUEUE_JOB_FAILED'
  | 'QUEUE_NOT_FOUND'
  | 'QUEUE_EXTENSION_MISSING'
  | 'QUEUE_UNSUPPORTED'
  | 'QUEUE_WAIT_TIMEOUT'
  | 'QUEUE_CLOSED'

/** Makes an error of this package. */
export function queueError(
  code: QueueErrorCode,
  message: string,
  cause?: unknown,
): HowdahError<QueueErrorCode> {
  return new HowdahError(code, message, cause === undefined ? undefined : { cause })
}

/** What only the server can see of an option's value. Rethrows anything else. */
export function refused(error: unknown): never {
  if (sqlState(error) !== '22023') throw error
  throw queueError('QUEUE_INVALID_OPTION', (error as Error).message, error)
}

/** What is kept of an error. */
export function errorText(error: unknown): string {
  return textOf(error, MAX_ERROR_LENGTH)
}

const MAX_ERROR_LENGTH = 10_000
