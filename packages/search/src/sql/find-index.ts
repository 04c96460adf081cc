import { defineStatement, type Statement } from '@howdah/core'

/** A generation of an index, as the registry knows it. */
export interface GenerationRow {
  readonly id: number
  readonly generation: number
  /** Number of its vocabulary. */
  readonly vocabulary: number
  /** Whether this is the generation that is searched. */
  readonly live: boolean
  readonly definition: string
  readonly relation: string
  readonly filled: boolean
  /** Its triggers on the relation that are enabled. */
  readonly triggers: number
}

/** Reads the generations of an index, the newest first. */
export const findIndex: (
  schema: string,
  name: string,
  triggers: string,
) => Statement<GenerationRow> = defineStatement(
  'search.find-index',
  (s) => /* sql */ `
      select i.id, coalesce(g.generation, 0) as generation, coalesce(g.vocabulary, 0) as vocabulary,
        coalesce(g.generation = i.generation, false) as live,
        coalesce(g.definition, '') as definition, coalesce(g.relation::text, '') as relation,
        coalesce(g.filled_at is not null, false) as filled,
        (select count(*)::int from pg_catalog.pg_trigger t
         where t.tgrelid = g.relation and t.tgenabled <> 'D'
           and starts_with(t.tgname::text, replace($2::text, '*', g.generation::text))) as triggers
      from ${s}.search_index i
      left join ${s}.search_generation g on g.index_id = i.id
      where i.name = $1::text
      order by g.generation desc`,
  (name, triggers) => [name, triggers],
)
