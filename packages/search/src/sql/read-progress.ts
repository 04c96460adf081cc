import { defineStatement, type Statement } from '@howdah/core'

/** How far the filling of a generation has come. */
export interface ProgressRow {
  readonly filled: string
  /** PostgreSQL's estimate of the table's rows. */
  readonly rows: string
}

/** Reads how far the filling of a generation has come. */
export const readProgress: (
  schema: string,
  id: number,
  generation: number,
) => Statement<ProgressRow> = defineStatement(
  'search.read-progress',
  (s) => /* sql */ `
    select g.filled::text as filled, greatest(g.filled, (
        select sum(greatest(c.reltuples, 0))::bigint
        from (
          select g.relation as relid union select t.relid::oid from pg_catalog.pg_partition_tree(g.relation::regclass) t
        ) part join pg_catalog.pg_class c on c.oid = part.relid and c.relkind = 'r'
      ), 0)::text as rows
    from ${s}.search_generation g where g.index_id = $1::int and g.generation = $2::int`,
  (id, generation) => [id, generation],
)
