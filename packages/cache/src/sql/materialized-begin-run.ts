import { defineStatement, literal, type Statement } from '@howdah/core'

/** A refresh that begins. */
export interface BegunRow {
  readonly run: string
  /** When, in milliseconds since the epoch by the database's clock. */
  readonly started: number
}

/**
 * Numbers a refresh and takes the marks it settles. It must be a statement of its own before the refresh: whatever is visible to
 * it is visible to the snapshot that the refresh takes after it, so that no mark goes whose change is not in the rows.
 */
export const beginRun: (schema: string, id: number) => Statement<BegunRow> = defineStatement(
  'cache.materialized-begin-run',
  (s) => /* sql */ `
    with settled as (
      delete from ${s}.cache_materialized_mark where query = $1::int and xid <> '0'
    )
    select nextval(${regclass(s)})::text as run,
      extract(epoch from clock_timestamp())::float8 * 1000::float8 as started`,
  (id) => [id],
)

/** Draws a number that is lower than those of the refreshes which begin after it. */
export const takeTicket: (schema: string) => Statement<{ readonly ticket: string }> =
  defineStatement(
    'cache.materialized-ticket',
    (s) => /* sql */ `select nextval(${regclass(s)})::text as ticket`,
    () => [],
  )

function regclass(s: string): string {
  return `${literal(`${s}.cache_materialized_run`)}::regclass`
}
