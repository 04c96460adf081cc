import { B, K1 } from '../native/generation.js'
import {
  type NativeQuery,
  nativeQuery,
  rankedBeginnings,
  rankedWords,
} from '../native/native-query.js'
import type { Definition } from '../options.js'
import { groupQuery } from '../query/plan-query.js'
import { type Alternative, type Origin, type QueryPlan, termQuery } from '../query/query-plan.js'
import type { SearchRequest } from '../search-request.js'
import type { ExplainRow, ExplainValues } from '../sql/explain-document.js'
import { labelsIn } from '../sql/searched.js'
import type { TenantScope } from '../tenant/tenant-scope.js'

/** What one word adds to the score of a row. */
export interface ExplainedWord {
  /** What was typed that it stands for. */
  readonly typed: string
  /** What was searched: as it was typed, or a correction, a synonym or a completion. A beginning ends in a star. */
  readonly word: string
  readonly origin: Origin
  /** The stem under which the index has it. */
  readonly lexeme: string
  /** How rare it is, times what it counts against a word that was typed. */
  readonly idf: number
  /** How often the row has it, each time by the weight of its field. A beginning counts as 1, whatever begins so. */
  readonly count: number
  /** Its part of the row's score: `idf * (k1 + 1) * count / (count + k1 * (1 - b + b * length / meanLength))`, of a beginning `idf`. */
  readonly score: number
}

/** Why a row ranks where it does, or is not found. */
export interface Explanation {
  readonly key: string
  /** Whether the search finds the row. */
  readonly matches: boolean
  /** Its place among all that is found, from 1 on, in the order of the score; undefined where it is not found, or the query has no words. */
  readonly rank: number | undefined
  /** As in the results: the sum of the words' parts; 0 where it is not found by its words. */
  readonly score: number
  /** The words that the row has, in the order of the query. */
  readonly words: readonly ExplainedWord[]
  /** Words of the row, each by the weight of its field. */
  readonly length: number
  /** The same of all these rows on average. */
  readonly meanLength: number
  /** Rows of the index, or of the tenant in it. */
  readonly documents: number
  /** How fast a word that comes again counts less. */
  readonly k1: number
  /** How much the length of a row counts. */
  readonly b: number
  /** What was typed that the row has not, in any form that was searched; where all or some of it is required, that is why it is not found. */
  readonly missing: readonly string[]
  /** What the query excludes and the row has. */
  readonly excludedBy: readonly string[]
  /** Whether a filter leaves it out. */
  readonly filteredOut: boolean
  /** Whether a rule hides it. */
  readonly hidden: boolean
  /** Whether a rule pins it. */
  readonly pinned: boolean
  /** Whether there is such a row; without, all figures of it are 0. */
  readonly indexed: boolean
}

/** Makes of a plan what is asked of the row. */
export function explainValues(
  plan: QueryPlan,
  key: string,
  { minimumMatch, filters }: SearchRequest,
  definition: Definition,
  scope: TenantScope | undefined,
): ExplainValues {
  const labelsOf = labelsIn(definition)
  const query: NativeQuery = nativeQuery(plan, minimumMatch, labelsOf)
  const { pinned, hidden, excluded } = plan
  return {
    query,
    key,
    pinned,
    hidden,
    filters,
    scope,
    groups: plan.branches.flat().map((group) => groupQuery(group, labelsOf)),
    excluded: excluded.map(({ term, field }) =>
      termQuery(term, field === undefined ? '' : labelsOf(field)),
    ),
  }
}

/** What the database would say where there is nothing to tell. */
export const NOTHING_THERE: ExplainRow = {
  documents: 0,
  mean: 1,
  document: null,
  score: null,
  place: null,
}

/** Puts together what the database says of a row. */
export function explanationOf(plan: QueryPlan, key: string, row: ExplainRow): Explanation {
  const { documents, mean: meanLength, document } = row
  const { length = 0, groups = [], excluded = [], passes = false } = document ?? {}
  const indexed = document !== null
  const hidden = plan.hidden.includes(key)
  const pinned = plan.pinned.includes(key)
  const excludedBy = distinct(plan.excluded.filter((_, at) => excluded[at]).map(typedOf))
  const listed = indexed && passes && !hidden && (pinned || excludedBy.length === 0)
  const found = indexed && row.score !== null
  return {
    key,
    matches: plan.blank ? listed : row.place !== null && indexed,
    rank: row.place === null || plan.blank || !indexed ? undefined : Number(row.place),
    score: found ? (row.score ?? 0) : 0,
    words: document === null ? [] : wordsOf(plan, document),
    length,
    meanLength,
    documents,
    k1: K1,
    b: B,
    missing: distinct(
      indexed
        ? plan.branches
            .flat()
            .flatMap(({ alternatives: [first] }, at) =>
              groups[at] || first === undefined ? [] : [first.typed],
            )
        : [],
    ),
    excludedBy,
    filteredOut: indexed && !passes,
    hidden,
    pinned,
    indexed,
  }
}

function wordsOf(
  plan: QueryPlan,
  { terms, stars }: NonNullable<ExplainRow['document']>,
): ExplainedWord[] {
  const words = rankedWords(plan).map(({ lexeme, alternative }, at) => {
    const { count = 0, idf = 0, score = 0 } = terms[at] ?? {}
    return { ...naming(alternative), lexeme, idf, count, score }
  })
  const beginnings = rankedBeginnings(plan).flatMap(({ alternatives: [typed] }, at) => {
    const { has = false, idf = 0 } = stars[at] ?? {}
    if (!has || typed === undefined || typed.term.kind !== 'prefix') return []
    const { lexeme } = typed.term
    return [{ ...naming(typed), word: `${typed.text}*`, lexeme, idf, count: 1, score: idf }]
  })
  return [...words.filter(({ count }) => count > 0), ...beginnings]
}

function naming({ typed, text: word, origin }: Alternative) {
  return { typed, word, origin }
}

function typedOf({ typed }: { readonly typed: string }): string {
  return typed
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
