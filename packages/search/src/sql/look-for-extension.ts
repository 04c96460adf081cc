import { defineStatement, type Statement } from '@howdah/core'

/** What the server knows of an extension. */
export interface ExtensionRow {
  /** Quoted name of the schema it was made in; null where the database does not have it. */
  readonly schema: string | null
  readonly available: boolean
}

/** Looks whether this database has an extension, or could have it. */
export const lookForExtension: (schema: string, name: string) => Statement<ExtensionRow> =
  defineStatement(
    'search.look-for-extension',
    () => /* sql */ `
      select (
          select quote_ident(n.nspname) from pg_catalog.pg_extension e
          join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname::text = $1::text
        ) as schema,
        exists (select from pg_catalog.pg_available_extensions a where a.name::text = $1::text) as available`,
    (name) => [name],
  )
