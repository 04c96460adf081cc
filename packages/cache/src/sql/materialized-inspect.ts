import { defineStatement, type Statement } from '@howdah/core'
import { presentTriggers, viewIsThere } from './materialized-present.js'

/** A query as the database knows it. */
export interface InspectedRow {
  readonly id: number
  readonly shape: string
  readonly tracked: string
  /** Whether the view is there and has rows to be read. */
  readonly built: boolean
  /** How many of the tables have their trigger. */
  readonly triggers: number
}

/** Reads what there is of a query; no row where it was never made. */
export const inspectQuery: (
  schema: string,
  name: string,
  tables: readonly string[],
  trigger: string,
) => Statement<InspectedRow> = defineStatement(
  'cache.materialized-inspect',
  (s) => /* sql */ `
    select q.id, q.shape, q.tracked,
      ${viewIsThere(s)} as built,
      ${presentTriggers('$2', '$3')} as triggers
    from ${s}.cache_materialized q
    where q.name = $1::text`,
  (name, tables, trigger) => [name, tables, trigger],
)
