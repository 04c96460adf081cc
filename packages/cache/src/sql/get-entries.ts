import { carried, live } from '../migrations/fragments.js'
import { slideDue } from './get-values.js'
import { defineInFamily, type FamilyStatement } from './in-family.js'
import { joined, texts } from './lists.js'

/** A live entry with what is known of it. */
export interface EntryRow {
  readonly key: string
  readonly value: string
  readonly version: string
  /** Milliseconds left; null for ever. */
  readonly ttl: number | null
  readonly slide: boolean | null
}

/** Reads the live entries of several keys with their versions and times. */
export const getEntries: FamilyStatement<[namespace: string, keys: readonly string[]], EntryRow> =
  defineInFamily(
    'cache.entries',
    (s, suffix) => /* sql */ `
    select e.key, ${carried('e')} as value, e.version::text as version, ${slideDue('e')} as slide,
      extract(epoch from e.expires_at - statement_timestamp())::float8 * 1000::float8 as ttl
    from ${s}.cache_entry${suffix} e
    where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = $1::text)
      and e.key = any(${texts('$2')}::text[]) and ${live(s, 'e')}`,
    (namespace, keys) => [namespace, joined(keys)],
  )
