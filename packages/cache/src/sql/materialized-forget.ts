import { defineStatement, type Statement } from '@howdah/core'

/** Removes the row of a query and its marks, after the triggers that make them are gone. */
export const forgetQuery: (schema: string, id: number) => Statement<never> = defineStatement(
  'cache.materialized-forget',
  (s) => /* sql */ `
    with marks as (delete from ${s}.cache_materialized_mark where query = $1::int)
    delete from ${s}.cache_materialized where id = $1::int`,
  (id) => [id],
)
