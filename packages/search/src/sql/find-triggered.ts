import { defineStatement, type Statement } from '@howdah/core'

/**
 * Reads the quoted names of the tables that have any of the triggers. The number of the table in the registry would not do: after a restore it is another.
 */
export const findTriggered: (
  schema: string,
  triggers: readonly string[],
) => Statement<{ name: string }> = defineStatement(
  'search.find-triggered',
  () => /* sql */ `
      select distinct quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
      from pg_catalog.pg_trigger t
      join pg_catalog.pg_class c on c.oid = t.tgrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where t.tgname = any ($1::text[])`,
  (triggers) => [triggers],
)
