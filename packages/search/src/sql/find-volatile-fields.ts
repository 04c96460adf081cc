import { defineStatement, type Statement } from '@howdah/core'

/** Types whose text depends on settings alone that our functions fix. */
const FIXED = ['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval']

/**
 * Reads which columns of a table have a type whose text is not the same for ever: a label of an enumeration can be renamed, as can a table that a `regclass`
 * names. An array is as its elements are, and a domain as its base.
 */
export const findVolatileFields: (
  schema: string,
  relation: string,
  columns: readonly string[],
) => Statement<{ name: string; type: string }> = defineStatement(
  'search.find-volatile-fields',
  () => /* sql */ `
    with recursive part as (
      select a.attname::text as name, t.oid, t.typname, t.typtype, t.typbasetype, t.typelem, t.typcategory, t.typoutput,
        pg_catalog.format_type(a.atttypid, a.atttypmod) as type
      from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = $1::text::oid and a.attname::text = any ($2::text[]) and not a.attisdropped
      union all
      select p.name, t.oid, t.typname, t.typtype, t.typbasetype, t.typelem, t.typcategory, t.typoutput, p.type
      from part p join pg_catalog.pg_type t
        on t.oid = case when p.typtype = 'd' then p.typbasetype when p.typcategory = 'A' then p.typelem end
    )
    select p.name, p.type from part p join pg_catalog.pg_proc f on f.oid = p.typoutput
    where p.typtype <> 'd' and p.typcategory <> 'A' and f.provolatile <> 'i'
      and p.oid <> all (array[${FIXED.map((type) => `'pg_catalog.${type}'`).join(', ')}]::regtype[]::oid[])
    order by p.name`,
  (relation, columns) => [relation, columns],
)
