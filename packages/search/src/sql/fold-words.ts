import { defineStatement, type Statement } from '@howdah/core'

/** Log rows that one fold adds up at most: most are of one document. */
const MAX_ROWS = 2000

/** Adds up the oldest of what writers noted, and answers how many log rows it was; null while another process is at it. */
export const foldWords: (schema: string, index: number) => Statement<{ folded: number | null }> =
  defineStatement(
    'search.fold-words',
    (s) => /* sql */ `select ${s}.search_fold($1::int, ${MAX_ROWS}) as folded`,
    (index) => [index],
  )
