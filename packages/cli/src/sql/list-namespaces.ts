import { defineStatement, type Statement } from '@howdah/core'

/** A namespace of a cache. */
export interface NamespaceRow {
  readonly name: string
  readonly logged: boolean
  readonly entries: number
  readonly bytes: number
  /** Whether a sample was counted and not all. */
  readonly estimated: boolean
}

/** Blocks of each table that are read; some 20,000 entries. */
const SAMPLE_BLOCKS = 500

const sample = (s: string, suffix: string) => /* sql */ `
      select e.namespace, count(*) / k.share as entries, sum(e.bytes) / k.share as bytes, k.share < 1 as estimated
      from (select least(1, ${SAMPLE_BLOCKS} / greatest(1, pg_relation_size(c.oid) / current_setting('block_size')::float8)) as share
        from pg_class c where c.oid = '${s.replaceAll("'", "''")}.cache_entry${suffix}'::regclass) k
      cross join lateral (select * from ${s}.cache_entry${suffix} e tablesample system (k.share * 100)) e
      group by e.namespace, k.share`

/** Lists namespaces with what they hold: counted while the table is small, else estimated from one sample for all of them. */
export const listNamespaces: (schema: string) => Statement<NamespaceRow> = defineStatement(
  'cli.namespaces',
  (s) => /* sql */ `
    with held as materialized (${sample(s, '')}
      union all ${sample(s, '_logged')}
    )
    select n.name, n.logged, round(coalesce(h.entries, 0))::float8 as entries, round(coalesce(h.bytes, 0))::float8 as bytes,
      coalesce(h.estimated, (select bool_or(o.estimated) from held o), false) as estimated
    from ${s}.cache_namespace n left join held h on h.namespace = n.id order by n.name`,
  () => [],
)

/** Where a namespace keeps its entries; no row for one that there is not. */
export const findNamespace: (
  schema: string,
  name: string,
) => Statement<{ readonly logged: boolean }> = defineStatement(
  'cli.namespace',
  (s) => `select n.logged from ${s}.cache_namespace n where n.name = $1::text`,
  (name) => [name],
)
