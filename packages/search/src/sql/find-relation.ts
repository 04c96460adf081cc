import { defineStatement, type Statement } from '@howdah/core'

/** Reads the quoted name of a table by its OID, if it still exists. */
export const findRelation: (schema: string, oid: string) => Statement<{ name: string }> =
  defineStatement(
    'search.find-relation',
    () => /* sql */ `
      select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = $1::text::oid`,
    (oid) => [oid],
  )
