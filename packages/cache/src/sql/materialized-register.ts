import { defineStatement, type Statement } from '@howdah/core'

/** Makes the row of a query, if it is missing, and notes what its triggers are about to be made for. */
export const registerQuery: (
  schema: string,
  name: string,
  relation: string,
  tracked: string,
) => Statement<{ readonly id: number }> = defineStatement(
  'cache.materialized-register',
  (s) => /* sql */ `
    insert into ${s}.cache_materialized as q (name, view, tracked)
    values ($1::text, $2::text, $3::text)
    on conflict (name) do update set tracked = excluded.tracked
    returning q.id`,
  (name, relation, tracked) => [name, relation, tracked],
)
