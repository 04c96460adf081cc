import { carried, live, SEPARATOR } from '../migrations/fragments.js'
import { defineInFamily, type FamilyStatement } from './in-family.js'
import { joined, texts } from './lists.js'

/** Stands before a value whose time is to be prolonged; no value begins with it. */
const SLIDE_MARK = '~'

/**
 * Reads the live entries of several keys into one text: measured, a row for each costs the driver more than the server takes to
 * find it. `offset 0` keeps the order of the keys, since the planner then can only take them one after another.
 */
export const getValues: FamilyStatement<
  [namespace: string, keys: readonly string[]],
  { readonly found: string | null }
> = defineInFamily(
  'cache.get',
  (s, suffix) => /* sql */ `
    select pg_catalog.string_agg(coalesce(v.value, ''::text), E'\\x1f'::text) as found
    from pg_catalog.unnest(${texts('$2')}) as k(key)
    left join lateral (
      select ${marked('e')} as value
      from ${s}.cache_entry${suffix} e
      where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = $1::text)
        and e.key = k.key and ${live(s, 'e')}
      offset 0
    ) v on true`,
  (namespace, keys) => [namespace, joined(keys)],
)

/** Reads one live entry, without the lists that a single look-up has no use for. */
export const getValue: FamilyStatement<
  [namespace: string, key: string],
  { readonly found: string }
> = defineInFamily(
  'cache.get.one',
  (s, suffix) => /* sql */ `
    select ${marked('e')} as found from ${s}.cache_entry${suffix} e
    where e.namespace = (select n.id from ${s}.cache_namespace n where n.name = $1::text)
      and e.key = $2::text and ${live(s, 'e')}`,
  (namespace, key) => [namespace, key],
)

/** The answer of {@link getValues}, split; empty where a key has no live entry. */
export function splitValues(found: string | null): string[] {
  return found === null ? [] : found.split(SEPARATOR)
}

/** Tells whether the time of a value is to be prolonged. */
export function isToSlide(value: string): boolean {
  return value.startsWith(SLIDE_MARK)
}

/** The value without the mark. */
export function unmarked(value: string): string {
  return isToSlide(value) ? value.slice(1) : value
}

function marked(e: string): string {
  return /* sql */ `case when ${slideDue(e)} then '${SLIDE_MARK}'::text || ${carried(e)} else ${carried(e)} end`
}

/** Whether a tenth of the time of a sliding entry has passed: prolonging it at every read would be a write at every read. */
export function slideDue(e: string): string {
  return /* sql */ `case when ${e}.sliding is not null then
      ${e}.expires_at < statement_timestamp() + 0.9::float8 * ${e}.sliding::float8 * interval '1 millisecond' end`
}
