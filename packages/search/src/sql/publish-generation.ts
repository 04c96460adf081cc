import { defineStatement, type Statement } from '@howdah/core'

/** Has searches go to a generation from now on; 0 is none. What went wrong with the ones before is forgotten. */
export const publishGeneration: (schema: string, id: number, generation: number) => Statement =
  defineStatement(
    'search.publish-generation',
    (s) => /* sql */ `
      with published as (
        update ${s}.search_index set generation = $2::int, attached_at = now()
        where id = $1::int and generation <> $2::int returning id
      )
      delete from ${s}.search_error using published where index_id = published.id`,
    (id, generation) => [id, generation],
  )
