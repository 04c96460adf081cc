import { defineStatement, type Statement } from '@howdah/core'

/** Enters an index into the registry, or opens its next generation, and answers its numbers. */
export const registerIndex: (
  schema: string,
  index: { readonly name: string; readonly definition: string; readonly relation: string },
) => Statement<{ id: number; generation: number; vocabulary: number }> = defineStatement(
  'search.register-index',
  (s) => /* sql */ `
    with known as (
      insert into ${s}.search_index as i (name, generation) values ($1::text, 0)
      on conflict (name) do update set generation = i.generation
      returning id, generation
    ), opened as (
      insert into ${s}.search_generation (index_id, generation, definition, relation)
      select known.id, 1 + coalesce(
        (select max(g.generation) from ${s}.search_generation g where g.index_id = known.id), 0),
        $2::text, $3::text::oid
      from known
      returning index_id, generation, vocabulary
    )
    select index_id as id, generation, vocabulary from opened`,
  ({ name, definition, relation }) => [name, definition, relation],
)
