import { sqlState } from '@howdah/core'
import type { Definition } from '../options.js'
import type { SearchRequest } from '../search-request.js'
import type { PageStart, SearchRow } from '../sql/searched.js'
import { bindingOf, invalidCursor, type Position, readCursor, writeCursor } from './cursor.js'

/** Hits that are looked at besides those that were passed: as many may have been added above meanwhile before it takes another look. */
const SPARE = 20
const MORE = 4

/** Runs a search for a page. */
export type AskPage = (start: PageStart) => Promise<SearchRow | undefined>

/**
 * Finds the page that was asked for, and the cursor of the next.
 *
 * @throws {@link HowdahError} SEARCH_INVALID_CURSOR
 */
export async function findPage(
  definition: Definition,
  query: string,
  request: SearchRequest,
  ask: AskPage,
): Promise<{ row: SearchRow; next: string | undefined }> {
  const { after, offset } = request
  const binding = bindingOf(definition, query, request)
  const position = after === undefined ? undefined : readCursor(after, binding)
  const row = (await (position === undefined
    ? ask({ offset, position })
    : askAfter(position, ask))) as SearchRow
  const { hits, more, last } = row
  const passed = (position?.passed ?? offset) + hits.length
  const next = more && last !== null ? writeCursor({ ...last, passed }, binding) : undefined
  return { row, next }
}

async function askAfter(position: Position, ask: AskPage): Promise<SearchRow | undefined> {
  try {
    for (let offset = position.passed + SPARE; ; offset *= MORE) {
      const row = await ask({ offset, position })
      if (row?.short !== true) return row
    }
  } catch (error) {
    // A value that its column cannot be is of no cursor of ours.
    if (sqlState(error)?.startsWith('22')) throw invalidCursor(error)
    throw error
  }
}
