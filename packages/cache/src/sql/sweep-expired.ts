import { defineStatement, type Statement } from '@howdah/core'

/** Removes a small batch of expired entries of all namespaces, passing over rows that someone is writing. */
export const sweepExpired: (
  schema: string,
  limit: number,
) => Statement<{ readonly swept: number }> = defineStatement(
  'cache.sweep',
  (s) => /* sql */ `
    with expired as materialized (
      select namespace, key from ${s}.cache_entry
      where expiry_bucket <= (extract(epoch from statement_timestamp()) / 300)::int
        and expires_at <= statement_timestamp()
      order by expiry_bucket
      limit $1::int
      for update skip locked
    ), swept as (
      delete from ${s}.cache_entry e using expired x
      where e.namespace = x.namespace and e.key = x.key
      returning 1
    )
    select count(*)::int as swept from swept`,
  (limit) => [limit],
)
