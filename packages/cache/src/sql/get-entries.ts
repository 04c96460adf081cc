import { defineStatement, type Statement } from '@howdah/core'

/** A live entry. */
export interface EntryRow {
  readonly key: string
  readonly value: string
}

/** Reads the live entries of several keys; keys that miss have no row. Order is not that of the keys. */
export const getEntries: (
  schema: string,
  namespace: string,
  keys: readonly string[],
) => Statement<EntryRow> = defineStatement(
  'cache.get',
  (s) => /* sql */ `
    select key, value
    from ${s}.cache_entry
    where namespace = $1::text and key = any($2::text[])
      and (expires_at is null or expires_at > statement_timestamp())`,
  (namespace, keys) => [namespace, keys],
)
