import { defineStatement, type Statement } from '@howdah/core'

/** Reads the valid indexes of a table that one of some access methods keeps, by their unquoted names. */
export const findIndexes: (
  schema: string,
  relation: string,
  methods: readonly string[],
) => Statement<{ name: string }> = defineStatement(
  'search.find-indexes',
  () => /* sql */ `
    select c.relname::text as name
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am a on a.oid = c.relam
    where i.indrelid = $1::text::oid and i.indisvalid and a.amname::text = any ($2::text[])
    order by 1`,
  (relation, methods) => [relation, methods],
)
