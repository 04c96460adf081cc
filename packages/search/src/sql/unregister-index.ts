import { defineStatement, type Statement } from '@howdah/core'

/** Removes an index from the registry, with what was recorded of it. */
export const unregisterIndex: (schema: string, name: string) => Statement = defineStatement(
  'search.unregister-index',
  (s) => /* sql */ `
    with gone as (delete from ${s}.search_index where name = $1::text returning id)
    delete from ${s}.search_error using gone where index_id = gone.id`,
  (name) => [name],
)
