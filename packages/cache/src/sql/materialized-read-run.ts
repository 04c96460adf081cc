import { defineStatement, type Statement } from '@howdah/core'

/** The last refresh of a query that ended. */
export interface RunRow {
  readonly id: number
  readonly run: string
  /** What it failed with; null when it went well. */
  readonly error: string | null
}

/** Reads which refresh ended last, and how. */
export const readRun: (schema: string, name: string) => Statement<RunRow> = defineStatement(
  'cache.materialized-read-run',
  (s) => /* sql */ `
    select id, run::text as run, error from ${s}.cache_materialized where name = $1::text`,
  (name) => [name],
)
