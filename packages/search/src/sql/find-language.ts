import { defineStatement, type Statement } from '@howdah/core'

/** What there is of a language. */
export interface LanguageRow {
  /** Quoted name of the schema of the extension `unaccent`; null where it is not installed. */
  readonly unaccent: string | null
}

/** Answers a row when the text search configuration exists. */
export const findLanguage: (
  schema: string,
  language: { readonly schema: string; readonly name: string },
) => Statement<LanguageRow> = defineStatement(
  'search.find-language',
  () => /* sql */ `
    select (
        select quote_ident(x.nspname)
        from pg_catalog.pg_extension e
        join pg_catalog.pg_namespace x on x.oid = e.extnamespace
        where e.extname = 'unaccent'
      ) as unaccent
    from pg_catalog.pg_ts_config c
    join pg_catalog.pg_namespace n on n.oid = c.cfgnamespace
    where n.nspname::text = $1::text and c.cfgname::text = $2::text`,
  (language) => [language.schema, language.name],
)
