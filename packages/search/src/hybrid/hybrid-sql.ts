import { ident } from '@howdah/core'
import type { IndexNames } from '../names.js'
import type { ResolvedHybrid, VectorMetric } from './hybrid-options.js'
import type { VectorColumn } from './vector-column.js'

/** The constant of reciprocal rank fusion; the paper's, which everybody uses. */
const K = 60

const OPERATORS: Readonly<Record<VectorMetric, string>> = { cosine: '<=>', l2: '<->', inner: '<#>' }

/** Where in a statement the rankings stand. */
export interface HybridFrame {
  readonly names: IndexNames
  /** The application's table, and its key as that of `t`. */
  readonly table: string
  readonly key: string
  readonly keyType: string
  /** Arguments of the engine's functions; of what the query excludes, where there is something. */
  readonly query: string
  readonly excluded: string | undefined
  readonly hidden: string
  /** What rows hold, as the engine takes it; undefined where the rows themselves must be looked at. */
  readonly filter: string | undefined
  /** The same as conditions on `t`. */
  readonly conditions: readonly string[]
  /** The last argument of the engine's functions, where the index has tenants; with the comma before it. */
  readonly whose: string
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
  hybrid: ResolvedHybrid,
  column: VectorColumn,
  { names, table, key, keyType, query, excluded, hidden, filter, conditions, whose }: HybridFrame,
  add: (value: unknown) => string,
): string {
  const { search, match } = names.functions
  const candidates = `${add(hybrid.candidates)}::int`
  const value = `t.${ident(hybrid.column)}`
  const vector = `${add(`[${hybrid.vector.join(',')}]`)}::text::${column.type}`
  const distance = `${value} operator(${column.schema}.${OPERATORS[hybrid.metric]}) ${vector}`
  const shown = `${key}::text <> all (${hidden})`
  const also = conditions.map((condition) => `and ${condition}`).join('\n          ')
  const words =
    filter === undefined
      ? `select m.key, m.score
        from ${match}(${query}, null, null${whose}) m join ${table} t on ${key} = m.key::${keyType}
        where m.key <> all (${hidden}) ${also}`
      : `select u.key, u.score
        from ${search}(${query}, ${filter}, ${candidates} + cardinality(${hidden})${whose}) s
        cross join lateral unnest(s.keys, s.scores) u(key, score)
        where u.key <> all (${hidden})`
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
        ${excluded === undefined ? '' : `and ${key} not in (select x.key::${keyType} from ${match}(${excluded}, null, null${whose}) x)`}
      order by ${distance} limit ${candidates}
    ), by_vector as (
      -- By their angles vectors of zeros are nowhere.
      select n.key, row_number() over (order by n.distance, n.key) as vector
      from nearest n where n.distance <> 'NaN'
    ), found as materialized (
      select key, words, vector,
        (coalesce(1::double precision / (${K} + words), 0) + coalesce(${add(hybrid.weight)}::double precision / (${K} + vector), 0)) as score
      from by_words full join by_vector using (key)
    )`
}
