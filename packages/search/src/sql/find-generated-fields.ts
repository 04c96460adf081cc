import { defineStatement, type Statement } from '@howdah/core'

/** Reads which columns of a table are computed from others. */
export const findGeneratedFields: (
  schema: string,
  relation: string,
  columns: readonly string[],
) => Statement<{ name: string }> = defineStatement(
  'search.find-generated-fields',
  () => /* sql */ `
    select a.attname::text as name from pg_catalog.pg_attribute a
    where a.attrelid = $1::text::oid and a.attname::text = any ($2::text[]) and a.attgenerated <> ''
    order by 1`,
  (relation, columns) => [relation, columns],
)
