import { defineStatement, type Statement } from '@howdah/core'
import type { LoggedSearch } from '../log/query-log.js'

/** Writes searches to the log. */
export const logSearches: (
  schema: string,
  index: number,
  searches: readonly LoggedSearch[],
) => Statement = defineStatement(
  'search.log-searches',
  (s) => /* sql */ `
    insert into ${s}.search_query_log (index_id, tenant, query, hits, ms, corrected)
    select $1::int, l.tenant, l.query, l.hits, l.ms, l.corrected
    from unnest($2::text[], $3::text[], $4::text[]::bigint[], $5::real[], $6::boolean[]) l(tenant, query, hits, ms, corrected)`,
  (index, searches) => [
    index,
    searches.map(({ tenant }) => tenant),
    searches.map(({ query }) => query),
    searches.map(({ hits }) => String(hits)),
    searches.map(({ ms }) => ms),
    searches.map(({ corrected }) => corrected),
  ],
)

/** Reads the key of an index's hashes. */
export const readLogKey: (schema: string, index: number) => Statement<{ key: string }> =
  defineStatement(
    'search.read-log-key',
    (s) => /* sql */ `select i.log_key as key from ${s}.search_index i where i.id = $1::int`,
    (index) => [index],
  )

/** Removes some of the searches that were kept longer than so many milliseconds, and answers how many it was. */
export const pruneLog: (
  schema: string,
  index: number,
  keepMs: number,
  limit: number,
) => Statement<{ pruned: number }> = defineStatement(
  'search.prune-log',
  (s) => /* sql */ `
    with pruned as (
      delete from ${s}.search_query_log where ctid = any (array(
        select l.ctid from ${s}.search_query_log l
        where l.index_id = $1::int and l.at < now() - $2::double precision * interval '1 ms' limit $3::int))
      returning 1
    )
    select count(*)::int as pruned from pruned`,
  (index, keepMs, limit) => [index, keepMs, limit],
)

/** A query as the log has it. */
export interface LoggedQueryRow {
  readonly query: string
  readonly searches: number
  readonly empty: number
  readonly corrected: number
  readonly hits: string
  readonly median: number
  readonly slow: number
  readonly last: number
}

const ORDERS = {
  top: 'count(*)',
  zeroHits: 'count(*) filter (where l.hits = 0)',
  slow: 'percentile_cont(0.95) within group (order by l.ms)',
} as const

/** Reads the queries of the last so many milliseconds that there are most of, that found nothing most often, or that took longest. */
export const readQueries: Readonly<
  Record<
    keyof typeof ORDERS,
    (schema: string, index: number, withinMs: number, limit: number) => Statement<LoggedQueryRow>
  >
> = { top: reader('top'), zeroHits: reader('zeroHits'), slow: reader('slow') }

function reader(by: keyof typeof ORDERS) {
  return defineStatement<[index: number, withinMs: number, limit: number], LoggedQueryRow>(
    `search.queries-${by}`,
    (s) => /* sql */ `
      select l.query, count(*)::int as searches, count(*) filter (where l.hits = 0)::int as empty,
        count(*) filter (where l.corrected)::int as corrected,
        (array_agg(l.hits order by l.at desc))[1]::text as hits,
        percentile_cont(0.5) within group (order by l.ms) as median,
        percentile_cont(0.95) within group (order by l.ms) as slow,
        (extract(epoch from max(l.at)) * 1000)::double precision as last
      from ${s}.search_query_log l
      where l.index_id = $1::int and l.at > now() - $2::double precision * interval '1 ms'
      group by l.query having ${ORDERS[by]} > 0
      order by ${ORDERS[by]} desc, l.query collate "C" limit $3::int`,
    (index, withinMs, limit) => [index, withinMs, limit],
  )
}

/** Removes the log of an index. */
export const forgetLog: (schema: string, index: number) => Statement = defineStatement(
  'search.forget-log',
  (s) => /* sql */ `delete from ${s}.search_query_log where index_id = $1::int`,
  (index) => [index],
)
