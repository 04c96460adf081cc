import { defineStatement, type Statement } from '@howdah/core'

/** An index as the registry knows it. */
export interface IndexRow {
  readonly id: number
  readonly generation: number
  readonly definition: string
  readonly relation: string
  /** How many of the given triggers exist on the relation and are enabled. */
  readonly triggers: number
}

/** Reads the registry's row of one index. */
export const findIndex: (
  schema: string,
  name: string,
  triggers: readonly string[],
) => Statement<IndexRow> = defineStatement(
  'search.find-index',
  (s) => /* sql */ `
    select i.id, i.generation, i.definition, i.relation::text as relation,
      (select count(*)::int from pg_catalog.pg_trigger t
       where t.tgrelid = i.relation and t.tgname::text = any($2::text[])
         and t.tgenabled <> 'D') as triggers
    from ${s}.search_index i
    where i.name = $1::text`,
  (name, triggers) => [name, triggers],
)
