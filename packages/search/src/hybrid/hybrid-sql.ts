import { ident } from '@howdah/core'
import type { IndexNames } from '../names.js'
import type { QueryPlan } from '../query/query-plan.js'
import type { ResolvedHybrid, VectorMetric } from './hybrid-options.js'
import type { VectorColumn } from './vector-column.js'

/** The constant of reciprocal rank fusion; the paper's, which everybody uses. */
const K = 60

const OPERATORS: Readonly<Record<VectorMetric, string>> = { cosine: '<=>', l2: '<->', inner: '<#>' }

/** What a hybrid statement is made for. */
export interface HybridShape {
  readonly column: string
  readonly vector: VectorColumn
  readonly metric: VectorMetric
  /** Whether no condition holds, so that the best rows by words are found without looking at every match. */
  readonly short: boolean
  /** Whether the query excludes words; rows with them are no candidates by their vectors either. */
  readonly excluding: boolean
}

/**
 * What the statement of a hybrid search is made for; undefined where it is none.
 *
 * @param free - whether no condition holds
 */
export function hybridShape(
  hybrid: ResolvedHybrid | undefined,
  vector: VectorColumn | undefined,
  { excluded }: QueryPlan,
  free: boolean,
): HybridShape | undefined {
  if (hybrid === undefined || vector === undefined) return undefined
  const { column, metric } = hybrid
  return { column, vector, metric, short: free, excluding: excluded.length > 0 }
}

/** Where in a statement the rankings stand. */
export interface HybridFrame {
  readonly functions: IndexNames['functions']
  /** The application's table, and its key as that of `t`. */
  readonly table: string
  readonly key: string
  readonly keyType: string
  /** Arguments of the engine's functions. */
  readonly query: string
  /** Conditions that rows hold, as `t`. */
  readonly conditions: readonly string[]
  /** The first of {@link hybridValues}. */
  readonly first: number
}

/** What hits of a hybrid search have, to be carried from `found` to the page. */
export const RANKS: readonly string[] = ['words', 'vector']

/** The part of a hit with its ranks: to stand in `json_build_object`. */
export const RANKS_OF_HIT = `, 'ranks', jsonb_strip_nulls(jsonb_build_object('words', p.words, 'vector', p.vector))`

/**
 * The expression `found`, of the best rows by words and the best by vectors, with what it needs: each row with its two ranks and the sum of their
 * reciprocals. Vectors are ordered by nothing but the operator, or an index would not be used; rows of an index that lets go a little of the order are put
 * in order after it.
 */
export function hybridSql(
  { column, vector, metric, short, excluding }: HybridShape,
  { functions, table, key, keyType, query, conditions, first }: HybridFrame,
): string {
  const at = (parameter: number, type: string) => `$${first + parameter}::${type}`
  const candidates = at(1, 'int')
  const value = `t.${ident(column)}`
  const distance = `${value} operator(${vector.schema}.${OPERATORS[metric]}) ${at(0, 'text')}::${vector.type}`
  const shown = `${key}::text <> all ($15::text[])`
  const also = conditions.map((condition) => `and ${condition}`).join('\n          ')
  // The same arguments, for what the query excludes, in parameters of their own.
  const barred = query.replaceAll(/\$(\d+)/g, (_, n) => `$${Number(n) + first + 2}`)
  const words = short
    ? `select u.key, u.score
        from ${functions.search}(${query}, ${candidates} + cardinality($15::text[])) s
        cross join lateral unnest(s.keys, s.scores) u(key, score)
        where u.key <> all ($15::text[])`
    : `select m.key, m.score
        from ${functions.match}(${query}) m join ${table} t on ${key} = m.key::${keyType}
        where m.key <> all ($15::text[]) ${also}`
  return /* sql */ `by_words as materialized (
      select w.key collate "C" as key, row_number() over (order by w.score desc, w.key collate "C") as words
      from (
        ${words}
        order by score desc, key collate "C" limit ${candidates}
      ) w
    ), nearest as materialized (
      select ${key}::text collate "C" as key, ${distance} as distance
      from ${table} t
      where ${value} is not null and ${key} is not null and ${shown} ${also}
        ${excluding ? `and ${key} not in (select x.key::${keyType} from ${functions.match}(${barred}) x)` : ''}
      order by ${distance} limit ${candidates}
    ), by_vector as (
      -- By their angles vectors of zeros are nowhere.
      select n.key, row_number() over (order by n.distance, n.key) as vector
      from nearest n where n.distance <> 'NaN'
    ), found as materialized (
      select key, words, vector,
        (coalesce(1::double precision / (${K} + words), 0) + coalesce(${at(2, 'double precision')} / (${K} + vector), 0)) as score
      from by_words full join by_vector using (key)
    )`
}

/** The parameters of {@link hybridSql}; `excluded` are those of what the query excludes, where there is something. */
export function hybridValues(
  { vector, candidates, weight }: ResolvedHybrid,
  excluded: readonly unknown[],
): unknown[] {
  return [`[${vector.join(',')}]`, candidates, weight, ...excluded]
}
