import { defineStatement, type Statement } from '@howdah/core'

/** A column's type, as statements name it. */
export interface ColumnType {
  readonly type: string
  /** Type of the elements where the column is an array, else null. */
  readonly element: string | null
  /**
   * Name of the type of one value, or `enum`, where each value has one form as text: no two texts that are equal by a collation, and
   * neither floating point, which has two zeros, nor a type that the application made.
   */
  readonly kind: string | null
  /** Its collation, where the type has one: an index on the column serves no other. */
  readonly collation: string | null
}

/**
 * The type, as a cast names it, of values that are compared with a column: keys are stored in another collation, and an index serves only its own.
 */
export function comparedType({ type, collation }: ColumnType): string {
  return collation === null ? type : `${type} collate ${collation}`
}

/** The application's table as the catalogue knows it. */
export interface TableRow {
  readonly oid: string
  readonly kind: string
  readonly columns: Readonly<Record<string, ColumnType>>
  /** Whether the key column alone is unique at the end of each statement. */
  readonly unique_key: boolean
  /** Whether policies decide which rows a role sees. */
  readonly secured: boolean
  /** Whether they bind the role that asks. */
  readonly bound: boolean
}

/** Reads what there is to know about a table and its key column. */
export const describeTable: (
  schema: string,
  table: { readonly schema: string; readonly name: string },
  key: string,
) => Statement<TableRow> = defineStatement(
  'search.describe-table',
  () => /* sql */ `
    select c.oid::text as oid, c.relkind::text as kind,
      (
        select coalesce(jsonb_object_agg(a.attname, jsonb_build_object(
          'type', quote_ident(tn.nspname) || '.' || quote_ident(t.typname),
          'element', quote_ident(en.nspname) || '.' || quote_ident(e.typname),
          'kind', case
            when coalesce(e.typtype, t.typtype) = 'e' then 'enum'
            when coalesce(en.nspname, tn.nspname) = 'pg_catalog' and coalesce(e.typname, t.typname)::text = any (
              '{bool,int2,int4,int8,numeric,text,varchar,bpchar,uuid,date,timestamp,timestamptz}'::text[])
              and coalesce(co.collisdeterministic, true) then coalesce(e.typname, t.typname) end,
          'collation', quote_ident(cn.nspname) || '.' || quote_ident(co.collname))), '{}')
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
        left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
        left join pg_catalog.pg_namespace en on en.oid = e.typnamespace
        left join pg_catalog.pg_collation co on co.oid = a.attcollation
        left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) as columns,
      exists (
        select from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = c.oid and i.indisunique and i.indimmediate and i.indisvalid
          and i.indnkeyatts = 1 and i.indpred is null and a.attname::text = $3::text
      ) as unique_key,
      c.relrowsecurity as secured, pg_catalog.row_security_active(c.oid) as bound
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname::text = $1::text and c.relname::text = $2::text`,
  (table, key) => [table.schema, table.name, key],
)
