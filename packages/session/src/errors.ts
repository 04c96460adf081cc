import { HowdahError } from '@howdah/core'

/**
 * Codes thrown by `@howdah/session`. Each is explained in `docs/errors.md`.
 */
export type SessionErrorCode =
  | 'SESSION_INVALID_OPTION'
  | 'SESSION_INVALID_ID'
  | 'SESSION_INVALID_DATA'
  | 'SESSION_INVALID_USER'
  | 'SESSION_TOO_LARGE'
  | 'SESSION_CORRUPT'
  | 'SESSION_UNREADABLE'
  | 'SESSION_HEADERS_SENT'
  | 'SESSION_CLOSED'
  | 'SESSION_NOT_ENDED'
  | 'SESSION_STORE_TIMEOUT'

/** Makes an error of this package. */
export function sessionError(
  code: SessionErrorCode,
  message: string,
  options?: ErrorOptions,
): HowdahError<SessionErrorCode> {
  return new HowdahError(code, message, options)
}
