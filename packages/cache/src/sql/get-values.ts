import { carried, live } from '../migrations/fragments.js'
import { defineInFamily, type FamilyStatement } from './in-family.js'

/** A live entry; `slide` is true where its time is to be prolonged. */
export interface ValueRow {
  readonly key: string
  readonly value: string
  readonly slide: boolean | null
}

/** Reads the live entries of several keys; keys that miss have no row. Order is not that of the keys. */
export const getValues: FamilyStatement<[namespace: string, keys: readonly string[]], ValueRow> =
  defineInFamily(
    'cache.get',
    (s, suffix) => /* sql */ `
    select e.key, ${carried('e')} as value, ${slideDue('e')} as slide
    from ${s}.cache_entry${suffix} e
    where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = $1::text)
      and e.key = any($2::text[]) and ${live(s, 'e')}`,
    (namespace, keys) => [namespace, keys],
  )

/** Whether a tenth of the time of a sliding entry has passed: prolonging it at every read would be a write at every read. */
export function slideDue(e: string): string {
  return /* sql */ `case when ${e}.sliding is not null then
      ${e}.expires_at < statement_timestamp() + 0.9::float8 * ${e}.sliding::float8 * interval '1 millisecond' end`
}
