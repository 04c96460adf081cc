import type { TransactionHandle } from '@howdah/core'
import { searchError } from '../errors.js'
import type { SearchOptions } from '../search-request.js'

/** Options of {@link SearchIndex.explain}: those of the search that say what is found. */
export interface ExplainOptions
  extends Pick<SearchOptions, 'tenant' | 'filters' | 'mode' | 'minimumMatch' | 'fuzzy' | 'prefix'> {
  readonly client?: TransactionHandle | undefined
}

/** A key as text. @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function keyText(key: unknown): string {
  if (typeof key === 'string' && !key.includes('\0') && !/\p{Surrogate}/u.test(key)) return key
  if (typeof key === 'bigint' || Number.isFinite(key)) return String(key)
  throw searchError(
    'SEARCH_INVALID_QUERY',
    "The row's key must be a well-formed string without NUL, a number or a bigint.",
  )
}
