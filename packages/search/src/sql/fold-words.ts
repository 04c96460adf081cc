import { defineStatement, type Statement } from '@howdah/core'

/** Log rows that one fold adds up at most: most are of one document. */
const MAX_ROWS = 2000
/** A fold stops when it has so many words, for it holds up the next one. */
const WORDS = 20_000
/** While an index is filled nobody waits, and the same words come again and again. */
const WORDS_AT_ONCE = 1_000_000

/** Adds up the oldest of what writers noted, and answers how many log rows it was; null while another process is at it. */
export const foldWords: (
  schema: string,
  index: number,
  atOnce?: boolean,
) => Statement<{ folded: number | null }> = defineStatement(
  'search.fold-words',
  (s) => /* sql */ `select ${s}.search_fold($1::int, ${MAX_ROWS}, $2::int) as folded`,
  (index, atOnce = false) => [index, atOnce ? WORDS_AT_ONCE : WORDS],
)
