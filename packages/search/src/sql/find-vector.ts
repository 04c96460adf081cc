import { defineStatement, type Statement } from '@howdah/core'

/** What the catalogue says of a column that is to be compared by vectors. */
export interface VectorRow {
  /** Of the extension; null where it is not installed. */
  readonly version: string | null
  /** The column's type in full, as people write it; null where there is no such column. */
  readonly type: string | null
  /** Name of the column's type where it is one of the extension's, else null. */
  readonly name: string | null
  /** Quoted name of the schema that the type is in. */
  readonly schema: string | null
  /** As many numbers as every vector of the column has; -1 where that is not said. */
  readonly dimensions: number
}

/** Reads whether there is pgvector, and what a column of a table is to it. */
export const findVector: (
  schema: string,
  table: { readonly schema: string; readonly name: string },
  column: string,
) => Statement<VectorRow> = defineStatement(
  'search.find-vector',
  () => /* sql */ `
    select e.extversion as version, a.type, a.dimensions,
      case when d.objid is not null then a.typname end as name,
      case when d.objid is not null then a.schema end as schema
    from (values (0)) one
    left join pg_catalog.pg_extension e on e.extname = 'vector'
    left join (
      select format_type(a.atttypid, a.atttypmod) as type, a.atttypmod as dimensions,
        t.oid, t.typname::text, quote_ident(tn.nspname) as schema
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
      where n.nspname::text = $1::text and c.relname::text = $2::text and a.attname::text = $3::text
    ) a on true
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_type'::regclass and d.objid = a.oid
      and d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'`,
  (table, column) => [table.schema, table.name, column],
)
