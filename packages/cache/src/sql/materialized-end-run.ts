import { defineStatement, type Statement } from '@howdah/core'

/** Notes a refresh, or with a shape a new view, that went well. */
export const finishRun: (
  schema: string,
  id: number,
  run: string,
  started: number,
  shape: string | null,
) => Statement<never> = defineStatement(
  'cache.materialized-finish-run',
  (s) => /* sql */ `
    with kept as (
      insert into ${s}.cache_materialized_mark (query, xid) values ($1::int, '0')
      on conflict do nothing
    )
    update ${s}.cache_materialized
    set run = $2::text::bigint,
      refreshed_at = to_timestamp($3::float8 / 1000),
      duration_ms = extract(epoch from clock_timestamp())::float8 * 1000::float8 - $3::float8,
      shape = coalesce($4::text, shape),
      failures = 0, failed_at = null, retry_at = null, code = null, error = null
    where id = $1::int`,
  (id, run, started, shape) => [id, run, started, shape],
)

/**
 * Notes a refresh that failed. The next is not due before a backoff of one second that doubles up to five minutes, half of it drawn
 * at random. The marks become one, so that they do not pile up while nothing settles them.
 */
export const failRun: (
  schema: string,
  id: number,
  run: string,
  code: string | null,
  error: string,
) => Statement<never> = defineStatement(
  'cache.materialized-fail-run',
  (s) => /* sql */ `
    with gone as (
      delete from ${s}.cache_materialized_mark where query = $1::int and xid > '1'
      returning marked_at
    ), one as (
      insert into ${s}.cache_materialized_mark (query, xid, marked_at)
      select $1::int, '1', min(marked_at) from gone having count(*) > 0
      on conflict do nothing
    )
    update ${s}.cache_materialized
    set run = $2::text::bigint,
      failures = failures + 1,
      failed_at = clock_timestamp(),
      retry_at = clock_timestamp()
        + least(300, power(2, least(failures, 10))) * (0.5 + random() / 2) * interval '1 second',
      code = $3::text,
      error = left($4::text, 1000)
    where id = $1::int`,
  (id, run, code, error) => [id, run, code, error],
)
