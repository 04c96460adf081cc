import { defineStatement, type Statement } from '@howdah/core'

/** Reads which version of its rules an index has, for a query about which nothing else has to be asked. */
export const readVersion: (schema: string, index: number) => Statement<{ version: string | null }> =
  defineStatement(
    'search.read-version',
    (s) =>
      /* sql */ `select max(r.version::text) as version from ${s}.search_rules r where r.index_id = $1::int`,
    (index) => [index],
  )
