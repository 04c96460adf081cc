import { defineStatement, type Statement } from '@howdah/core'

/** Removes a generation from the registry. */
export const unregisterGeneration: (schema: string, id: number, generation: number) => Statement =
  defineStatement(
    'search.unregister-generation',
    (s) => /* sql */ `
      delete from ${s}.search_generation where index_id = $1::int and generation = $2::int`,
    (id, generation) => [id, generation],
  )

/** Removes an index from the registry, with what was recorded of it. */
export const unregisterIndex: (schema: string, name: string) => Statement = defineStatement(
  'search.unregister-index',
  (s) => /* sql */ `
    with gone as (delete from ${s}.search_index where name = $1::text returning id)
    delete from ${s}.search_error using gone where index_id = gone.id`,
  (name) => [name],
)
