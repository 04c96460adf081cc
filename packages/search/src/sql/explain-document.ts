import { ident, type Statement, statementName } from '@howdah/core'
import { filterCondition } from '../filter/filter-condition.js'
import type { FilterEntry } from '../filter/filter-node.js'
import { tableOf } from '../names.js'
import { countOfQuery, normOf } from '../native/documents.js'
import { K1 } from '../native/generation.js'
import type { NativeQuery } from '../native/native-query.js'
import { clearedOf } from '../native/tables.js'
import type { TenantScope } from '../tenant/tenant-scope.js'
import { type ColumnType, comparedType } from './describe-table.js'
import { Parameters } from './parameters.js'
import { ofTenant, queryParameters, type Searched } from './searched.js'

/** What is asked of one row. */
export interface ExplainValues {
  readonly filters: readonly FilterEntry[]
  readonly query: NativeQuery
  readonly key: string
  readonly pinned: readonly string[]
  readonly hidden: readonly string[]
  /** Queries of which to say whether the row has them. */
  readonly groups: readonly string[]
  readonly excluded: readonly string[]
  /** Whose row it must be. */
  readonly scope: TenantScope | undefined
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
  searched: Pick<Searched, 'definition' | 'names' | 'types' | 'attributes'>,
  values: ExplainValues,
): Statement<ExplainRow> {
  const { definition, names, types } = searched
  const parameters = new Parameters()
  const { add } = parameters
  const { terms, weights, stars, stems, seeks } = values.query
  const own = `${add(values.key)}::text`
  const pinned = `${add(values.pinned)}::text[]`
  const hidden = `${add(values.hidden)}::text[]`
  const table = tableOf(definition)
  const key = `t.${ident(definition.key)}`
  const keyType = comparedType(types[definition.key] as ColumnType)
  const conditions = values.filters.map(({ node }) => filterCondition(node, types, add))
  const known = (table: string) =>
    `select d.number, d.key, d.document, d.length from ${table} d where d.key = ${own}`
  const tenant = ofTenant(searched, values.scope, add)
  const whose = values.scope === undefined ? '' : `, ${add(values.scope.word)}::text`
  const { weigh, match } = names.functions
  const text = /* sql */ `
    with weighed as materialized (
      select w.documents, w.mean, w.idf, w.q from ${weigh}(${add(terms)}::text[], ${add(weights)}::double precision[]${whose}) w
    ), own as materialized (
      select d.key, d.document, d.length, ${['true', ...conditions].join(' and ')} as passes
      from (${known(names.hot)} union all ${known(names.document)}) d
      join ${table} t on ${key} = d.key::${keyType}
      where ${[`d.number > ${clearedOf({ names })}`, ...tenant].join(' and ')}
        and not exists (select from ${names.gone} g where g.number = d.number)
        and not exists (select from ${names.stray} s where s.number = d.number)
    ), found as materialized (
      select m.key, m.score from ${match}(${queryParameters(values.query, parameters)}, null, null${whose}) m
    ), placed as (
      select f.key, row_number() over (order by array_position(${pinned}, f.key collate "default"), f.score desc, f.key collate "C") as place
      from (
        select key, score from found
        union all
        select pin, 0 from unnest(${pinned}) pin
        where pin not in (select key from found)
          and exists (
            select from ${names.hot} h where h.key = pin
            union all select from ${names.document} d where d.key = pin)
      ) f join ${table} t on ${key} = f.key::${keyType}
      where ${[`f.key <> all (${hidden})`, ...tenant, ...conditions].join(' and ')}
    ), star as materialized (
      select one.at, one.query, ln(1 + greatest(0, w.documents - f.found + 0.5) / (f.found + 0.5)) as idf
      from weighed w cross join unnest(${add(stars)}::text[]::tsquery[]) with ordinality one(query, at)
      cross join lateral (
        select count(*)::double precision as found
        from ${match}(false, '{}', '{}', '{}', 1, one.query, null, '{}', '{}', ${add(stems)}::text[], ${add(seeks)}::text[], null, null${whose})) f
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
            from unnest(${add(values.groups)}::text[]::tsquery[]) with ordinality one(query, at)),
          'excluded', (
            select coalesce(json_agg(o.document @@ one.query order by one.at), '[]')
            from unnest(${add(values.excluded)}::text[]::tsquery[]) with ordinality one(query, at)))
       from own o) as document,
      (select f.score from found f where f.key = ${own}) as score,
      (select p.place::text from placed p where p.key = ${own}) as place
    from weighed w`
  return { name: statementName('search.explain', text), text, values: parameters.values }
}
