import { HowdahError } from '@howdah/core'

/**
 * Codes thrown by `@howdah/search`. Each is explained in `docs/errors.md`.
 */
export type SearchErrorCode =
  | 'SEARCH_INVALID_OPTION'
  | 'SEARCH_INVALID_QUERY'
  | 'SEARCH_INVALID_CURSOR'
  | 'SEARCH_INVALID_RULE'
  | 'SEARCH_UNKNOWN_TABLE'
  | 'SEARCH_UNKNOWN_COLUMN'
  | 'SEARCH_UNKNOWN_LANGUAGE'
  | 'SEARCH_NO_UNACCENT'
  | 'SEARCH_NO_VECTOR'
  | 'SEARCH_KEY_NOT_UNIQUE'
  | 'SEARCH_ROWS_HIDDEN'
  | 'SEARCH_UNKNOWN_KEY'
  | 'SEARCH_NOT_ATTACHED'
  | 'SEARCH_DEFINITION_CHANGED'
  | 'SEARCH_UNSUPPORTED'
  | 'SEARCH_ENGINE_MISSING'
  | 'SEARCH_COLUMN_IN_USE'
  | 'SEARCH_CLOSED'

/** Makes an error of this package. */
export function searchError(
  code: SearchErrorCode,
  message: string,
  options?: ErrorOptions,
): HowdahError<SearchErrorCode> {
  return new HowdahError(code, message, options)
}
