import { defineStatement, type Statement } from '@howdah/core'

/** A removed entry; `live` is false where it had expired already. */
export interface DeletedRow {
  readonly key: string
  readonly live: boolean
}

/** Removes several entries, locking them in key order, so that it cannot deadlock with a batch of writes. */
export const deleteEntries: (
  schema: string,
  namespace: string,
  keys: readonly string[],
) => Statement<DeletedRow> = defineStatement(
  'cache.delete',
  (s) => /* sql */ `
    with doomed as materialized (
      select key from ${s}.cache_entry
      where namespace = $1::text and key = any($2::text[])
      order by key
      for update
    )
    delete from ${s}.cache_entry e using doomed
    where e.namespace = $1::text and e.key = doomed.key
    returning e.key, e.expires_at is null or e.expires_at > statement_timestamp() as live`,
  (namespace, keys) => [namespace, keys],
)
