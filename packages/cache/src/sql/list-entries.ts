import { carried, live } from '../migrations/fragments.js'
import { defineInFamily, type FamilyStatement } from './in-family.js'

/** A live entry of a page; `original` is the JSON of a key that is stored as a digest. */
export interface ListedRow {
  readonly key: string
  readonly original: string | null
  readonly value: string | null
}

/** Reads the next live entries in the order of their stored keys. */
export const listEntries: FamilyStatement<
  [namespace: string, after: string, limit: number, values: boolean],
  ListedRow
> = defineInFamily(
  'cache.list',
  (s, suffix) => /* sql */ `
    select e.key, e.original, case when $4::boolean then ${carried('e')} end as value
    from ${s}.cache_entry${suffix} e
    where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = $1::text)
      and e.key >= $2::text and (e.key > $2::text or $2::text = '') and ${live(s, 'e')}
    order by e.key limit $3::int`,
  (namespace, after, limit, values) => [namespace, after, limit, values],
)
