import { ident, type Statement, statementName } from '@howdah/core'
import { type IndexNames, tableOf } from '../names.js'
import { countOfQuery, normOf } from '../native/documents.js'
import { K1 } from '../native/generation.js'
import type { NativeQuery } from '../native/native-query.js'
import { clearedOf } from '../native/tables.js'
import type { Definition } from '../options.js'
import type { ColumnType } from './describe-table.js'
import { filterConditions, QUERY, queryValues, type SearchValues } from './search-documents.js'

/** Parameters before those of the filters. */
const FIXED = 16

/** What is asked of one row. */
export interface ExplainValues extends Pick<SearchValues, 'filters'> {
  readonly query: NativeQuery
  readonly key: string
  readonly pinned: readonly string[]
  readonly hidden: readonly string[]
  /** Queries of which to say whether the row has them. */
  readonly groups: readonly string[]
  readonly excluded: readonly string[]
}

/** What there is to say of one row. */
export interface ExplainRow {
  readonly documents: number
  readonly mean: number
  /** Null where the index has no such row, or the caller sees none. */
  readonly document: {
    readonly length: number
    /** In the order of the query's terms. */
    readonly terms: readonly {
      readonly count: number
      readonly idf: number
      readonly score: number
    }[]
    /** In the order of the query's stars. */
    readonly stars: readonly { readonly has: boolean; readonly idf: number }[]
    readonly groups: readonly boolean[]
    readonly excluded: readonly boolean[]
    readonly passes: boolean
  } | null
  /** As the search has it; null where the row has not what is wanted. */
  readonly score: number | null
  readonly place: string | null
}

/** Makes the statement that takes the score of one row apart, on the snapshot in which it also ranks it among all rows that match. */
export function explainDocument(
  definition: Definition,
  names: IndexNames,
  types: Readonly<Record<string, ColumnType>>,
): (values: ExplainValues) => Statement<ExplainRow> {
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = (types[definition.key] as ColumnType).type
  const conditions = filterConditions(definition, types, FIXED + 1)
  const known = (table: string) =>
    `select d.number, d.key, d.document, d.length from ${table} d where d.key = $12::text`
  const { weigh, match } = names.functions
  const text = /* sql */ `
    with weighed as materialized (
      select w.documents, w.mean, w.idf, w.q from ${weigh}($2::text[], $3::double precision[]) w
    ), own as materialized (
      select d.key, d.document, d.length, ${['true', ...conditions].join(' and ')} as passes
      from (${known(names.hot)} union all ${known(names.document)}) d
      join ${table} t on ${key} = d.key::${keyType}
      where d.number > ${clearedOf({ names })}
        and not exists (select from ${names.gone} g where g.number = d.number)
        and not exists (select from ${names.stray} s where s.number = d.number)
    ), found as materialized (
      select m.key, m.score from ${match}(${QUERY}) m
    ), placed as (
      select f.key, row_number() over (order by array_position($13::text[], f.key collate "default"), f.score desc, f.key collate "C") as place
      from (
        select key, score from found
        union all
        select pin, 0 from unnest($13::text[]) pin
        where pin not in (select key from found)
          and exists (
            select from ${names.hot} h where h.key = pin
            union all select from ${names.document} d where d.key = pin)
      ) f join ${table} t on ${key} = f.key::${keyType}
      where ${['f.key <> all ($14::text[])', ...conditions].join(' and ')}
    ), star as materialized (
      select one.at, one.query, ln(1 + greatest(0, w.documents - f.found + 0.5) / (f.found + 0.5)) as idf
      from weighed w cross join unnest($9::text[]::tsquery[]) with ordinality one(query, at)
      cross join lateral (
        select count(*)::double precision as found
        from ${match}(false, '{}', '{}', '{}', 1, one.query, null, '{}', '{}', $10::text[], $11::text[])) f
    )
    select w.documents, w.mean,
      (select json_build_object('length', o.length, 'passes', coalesce(o.passes, false),
          'terms', (
            select coalesce(json_agg(json_build_object('count', c.count, 'idf', c.idf,
              'score', c.idf * ${K1 + 1} * (1 - c.norm / (c.count + c.norm))) order by c.at), '[]')
            from (
              select one.at, one.idf, ${normOf('o.length')} as norm, ${countOfQuery(definition, 'o.document', 'one.query')} as count
              from unnest(w.q, w.idf) with ordinality one(query, idf, at)
            ) c),
          'stars', (
            select coalesce(json_agg(json_build_object('has', o.document @@ star.query, 'idf', star.idf) order by star.at), '[]') from star),
          'groups', (
            select coalesce(json_agg(o.document @@ one.query order by one.at), '[]')
            from unnest($15::text[]::tsquery[]) with ordinality one(query, at)),
          'excluded', (
            select coalesce(json_agg(o.document @@ one.query order by one.at), '[]')
            from unnest($16::text[]::tsquery[]) with ordinality one(query, at)))
       from own o) as document,
      (select f.score from found f where f.key = $12::text) as score,
      (select p.place::text from placed p where p.key = $12::text) as place
    from weighed w`
  const name = statementName('search.explain', text)
  return ({ query, key, pinned, hidden, groups, excluded, filters }) => ({
    name,
    text,
    values: [...queryValues(query), key, pinned, hidden, groups, excluded, ...filters],
  })
}
