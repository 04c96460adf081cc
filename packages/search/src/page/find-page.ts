import { sqlState } from '@howdah/core'
import type { Definition } from '../options.js'
import type { SearchRequest } from '../search-request.js'
import type { SearchRow } from '../sql/search-documents.js'
import { bindingOf, invalidCursor, type Position, readCursor, writeCursor } from './cursor.js'

/** Hits that are looked at besides those that were passed: as many may have been added above meanwhile before it takes another look. */
const SPARE = 20
const MORE = 4

/** How a page is asked for: `offset` and `position` of a search statement. */
export type AskPage = (
  offset: number,
  position: Position | undefined,
) => Promise<SearchRow | undefined>

/**
 * Finds the page that was asked for, and the cursor of the next.
 *
 * @throws {@link HowdahError} SEARCH_INVALID_CURSOR
 */
export async function findPage(
  definition: Definition,
  query: string,
  request: SearchRequest,
  top: boolean,
  ask: AskPage,
): Promise<{ row: SearchRow; next: string | undefined }> {
  const { after, limit, offset } = request
  const binding = bindingOf(definition, query, request)
  const position = after === undefined ? undefined : readCursor(after, binding)
  const row = await (position === undefined ? ask(offset, undefined) : askAfter(position, top, ask))
  const { total, hits, rest, last } = row as SearchRow
  const left = Number(rest) - hits.length
  const more = limit > 0 && hits.length > 0 && left > 0 && last !== null
  const passed = Number(total) - left
  return {
    row: row as SearchRow,
    next: more ? writeCursor({ ...last, passed }, binding) : undefined,
  }
}

async function askAfter(
  position: Position,
  top: boolean,
  ask: AskPage,
): Promise<SearchRow | undefined> {
  try {
    for (let offset = position.passed + SPARE; ; offset *= MORE) {
      const row = await ask(top ? offset : 0, position)
      if (row?.short !== true) return row
    }
  } catch (error) {
    // A value that its column cannot be is of no cursor of ours.
    if (sqlState(error)?.startsWith('22')) throw invalidCursor(error)
    throw error
  }
}
