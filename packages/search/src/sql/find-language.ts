import { defineStatement, type Statement } from '@howdah/core'

/** Answers a row when the text search configuration exists. */
export const findLanguage: (
  schema: string,
  language: { readonly schema: string; readonly name: string },
) => Statement<{ found: boolean }> = defineStatement(
  'search.find-language',
  () => /* sql */ `
    select true as found
    from pg_catalog.pg_ts_config c
    join pg_catalog.pg_namespace n on n.oid = c.cfgnamespace
    where n.nspname::text = $1::text and c.cfgname::text = $2::text`,
  (language) => [language.schema, language.name],
)
