import { defineStatement, type Statement } from '@howdah/core'

/**
 * Writes several entries, each key once; a TTL of null never expires. Keys are taken in order, so that two batches over the same
 * keys cannot deadlock.
 */
export const setEntries: (
  schema: string,
  namespace: string,
  keys: readonly string[],
  values: readonly string[],
  ttls: readonly (number | null)[],
) => Statement<never> = defineStatement(
  'cache.set',
  (s) => /* sql */ `
    insert into ${s}.cache_entry (namespace, key, value, expires_at, expiry_bucket)
    select $1::text, e.key, e.value, x.expires_at,
      (extract(epoch from x.expires_at) / 300)::int
    from unnest($2::text[], $3::text[], $4::float8[]) as e(key, value, ttl)
    cross join lateral (
      select statement_timestamp() + e.ttl * interval '1 millisecond'
    ) as x(expires_at)
    order by e.key collate "C"
    on conflict (namespace, key) do update
      set value = excluded.value,
          expires_at = excluded.expires_at,
          expiry_bucket = excluded.expiry_bucket`,
  (namespace, keys, values, ttls) => [namespace, keys, values, ttls],
)
