import { defineStatement, type Statement } from '@howdah/core'
import { presentTriggers, viewIsThere } from './materialized-present.js'

/** When a query is to be refreshed next. */
export interface DueRow {
  readonly id: number
  readonly shape: string
  readonly tracked: string
  readonly built: boolean
  readonly triggers: number
  /** Milliseconds until the next refresh is due; null where nothing calls for one. */
  readonly wait: number | null
}

/** What decides whether a query is due, in milliseconds. */
export interface DueRule {
  readonly every: number | null
  readonly debounce: number
  readonly maxWait: number
  readonly tables: readonly string[]
  readonly trigger: string
}

/**
 * Tells when a query is due: by age, by a change, or because the marks of changes were lost in a crash; after a failure not before
 * its backoff has passed.
 */
export const dueQuery: (schema: string, name: string, rule: DueRule) => Statement<DueRow> =
  defineStatement(
    'cache.materialized-due',
    (s) => /* sql */ `
      select q.id, q.shape, q.tracked,
        ${viewIsThere(s)} as built,
        ${presentTriggers('$5', '$6')} as triggers,
        (case when due.at is not null then greatest(0,
          extract(epoch from greatest(due.at, q.retry_at) - clock_timestamp())::float8 * 1000::float8) end) as wait
      from ${s}.cache_materialized q
      cross join lateral (
        select min(m.marked_at) filter (where m.xid <> '0') as first,
          max(m.marked_at) filter (where m.xid <> '0') as last,
          count(*) filter (where m.xid = '0') > 0 as kept
        from ${s}.cache_materialized_mark m where m.query = q.id
      ) mark
      cross join lateral (
        select least(
          q.refreshed_at + $2::float8 * interval '1 millisecond',
          case when cardinality($5::text[]) = 0 then null
            when not mark.kept then q.refreshed_at
            else least(
              mark.last + $3::float8 * interval '1 millisecond',
              mark.first + $4::float8 * interval '1 millisecond') end) as at
      ) due
      where q.name = $1::text`,
    (name, rule) => [name, rule.every, rule.debounce, rule.maxWait, rule.tables, rule.trigger],
  )
