import { defineStatement, type Statement } from '@howdah/core'

/** Enters an index into the registry or opens its next generation, and answers its numbers. */
export const registerIndex: (
  schema: string,
  index: { readonly name: string; readonly definition: string; readonly relation: string },
) => Statement<{ id: number; generation: number }> = defineStatement(
  'search.register-index',
  (s) => /* sql */ `
    insert into ${s}.search_index as known (name, generation, definition, relation)
    values ($1::text, 1, $2::text, $3::text::oid)
    on conflict (name) do update
    set generation = known.generation + 1, definition = excluded.definition,
      relation = excluded.relation, attached_at = now()
    returning id, generation`,
  ({ name, definition, relation }) => [name, definition, relation],
)
