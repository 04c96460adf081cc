import type { TransactionHandle } from '@howdah/core'
import { searchError } from '../errors.js'
import type { Lexemes } from '../language/lexemes.js'
import type { Definition } from '../options.js'
import { fieldsOf } from '../options.js'
import type { Group, QueryPlan } from '../query/query-plan.js'
import type { SearchOptions } from '../search-request.js'
import type { TellingSource, TellingWords } from '../sql/telling-words.js'

/** What similar rows are looked for: the key of a row, or a text that need not be in the index. */
export type LikeThis = string | number | bigint | { readonly text: string }

/** Options of {@link SearchIndex.moreLikeThis}; those it shares with a search mean the same. */
export interface MoreLikeThisOptions
  extends Pick<
    SearchOptions,
    'tenant' | 'filters' | 'facets' | 'limit' | 'offset' | 'after' | 'minimumMatch' | 'highlight'
  > {
  /** Fields of the row whose words count; similar rows may have these in any field. @defaultValue every field of the index */
  readonly fields?: readonly string[] | undefined
  /** Words that are looked for, at most 64. @defaultValue `25` */
  readonly maxWords?: number | undefined
  /** How many rows, besides the given one, must have a word for it to be looked for. @defaultValue `1` */
  readonly minDocuments?: number | undefined
}

/** {@link LikeThis} and the options of its own, checked. */
export interface Likeness extends Omit<TellingSource, 'lexemes' | 'counts'> {
  /** Undefined where a row is given. */
  readonly text: string | undefined
}

/** As many as the planes are added up for, so that the best rows are found without looking at every row. */
const MAX_WORDS = 64
const MAX_DOCUMENTS = 2 ** 31 - 2
/** Characters of a text that are read: always few enough for the 1 MB of a `tsvector`. */
const MAX_TEXT = 80_000

/** @throws {@link HowdahError} SEARCH_INVALID_QUERY */
export function resolveLikeness(
  definition: Definition,
  like: LikeThis,
  options: MoreLikeThisOptions,
): Likeness {
  if (typeof options !== 'object' || options === null)
    throw invalid('Pass the options as an object.')
  const { fields, maxWords = 25, minDocuments = 1 } = options
  const given = typeof like === 'object' && like !== null ? like.text : undefined
  if (given !== undefined && typeof given !== 'string') throw invalid('text must be a string.')
  const isKey = ['string', 'number', 'bigint'].includes(typeof like)
  if (given === undefined && (!isKey || String(like).includes('\0'))) {
    throw invalid('Pass the key of a row, as hits have it, or a text as { text }.')
  }
  if (given !== undefined && fields !== undefined) {
    throw invalid('fields are those of a row; leave them out where a text is given.')
  }
  return {
    key: given === undefined ? String(like) : null,
    text: given?.slice(0, MAX_TEXT).replace(/[\0\p{Surrogate}]/gu, ' '),
    labels: fields === undefined ? null : labels(definition, fields),
    maxWords: whole(maxWords, 'maxWords', MAX_WORDS),
    minDocuments: whole(minDocuments, 'minDocuments', MAX_DOCUMENTS),
  }
}

/** What is to be asked about the words of a row or a text. */
export async function sourceOf(
  { text, ...likeness }: Likeness,
  lexemes: Lexemes,
  client: TransactionHandle | undefined,
): Promise<TellingSource> {
  const analysis = text === undefined ? undefined : (await lexemes.of([text], client)).get(text)
  const found = analysis?.lexemes ?? []
  return {
    ...likeness,
    lexemes: found.map(([lexeme]) => lexeme),
    counts: found.map(([, positions]) => positions.length),
  }
}

/**
 * A query for any of the words, each by its part of the score of the row itself. How rare a word is comes in where rows are ranked.
 *
 * @throws {@link HowdahError} SEARCH_UNKNOWN_KEY
 */
export function planOf({ key }: Likeness, { known, terms, parts }: TellingWords): QueryPlan {
  if (!known) {
    throw searchError(
      'SEARCH_UNKNOWN_KEY',
      `The index has no row with the key '${String(key).slice(0, 63)}'. Pass the key as hits have it, of a row that is still there.`,
    )
  }
  const groups = terms.map((lexeme, at): Group => {
    const weight = parts[at] ?? 1
    const term = { kind: 'word', lexeme } as const
    const alternatives = [{ term, weight, origin: 'typed', typed: lexeme, text: lexeme }] as const
    return { required: false, field: undefined, alternatives }
  })
  return {
    branches: groups.length === 0 ? [] : [groups],
    excluded: [],
    pinned: [],
    hidden: key === null ? [] : [key],
    blank: false,
    didYouMean: undefined,
  }
}

function labels({ classes, ...definition }: Definition, fields: unknown): string[] {
  const known = fieldsOf({ classes, ...definition })
  if (!Array.isArray(fields) || fields.length === 0 || fields.some((one) => !known.includes(one))) {
    throw invalid(`fields must be an array of fields of this index: ${known.join(', ')}.`)
  }
  const asked = classes.map(({ columns }) => columns.some((column) => fields.includes(column)))
  return ['A', 'B', 'C', 'D'].filter((_, at) => asked[at])
}

function whole(value: unknown, option: string, max: number): number {
  const least = option === 'maxWords' ? 1 : 0
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > max) {
    throw invalid(`${option} must be a whole number from ${least} to ${max}.`)
  }
  return value as number
}

function invalid(message: string) {
  return searchError('SEARCH_INVALID_QUERY', message)
}
