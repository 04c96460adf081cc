/**
 * Codes thrown by `@howdah/session`. Each is explained in `docs/errors.md`.
 */
export type SessionErrorCode =
  | 'SESSION_INVALID_OPTION'
  | 'SESSION_INVALID_ID'
  | 'SESSION_INVALID_DATA'
  | 'SESSION_TOO_LARGE'
  | 'SESSION_CORRUPT'
  | 'SESSION_CLOSED'
