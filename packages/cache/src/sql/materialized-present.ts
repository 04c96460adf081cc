import { literal } from '@howdah/core'

/** Whether the view of the query `q` is there and can be refreshed while it is read. */
export function viewIsThere(s: string): string {
  return /* sql */ `exists (
        select from pg_catalog.pg_class c
        where c.relnamespace = ${literal(s)}::regnamespace and c.relname = q.view
          and c.relkind = 'm' and c.relispopulated)`
}

/** How many tables have their trigger, and it fires. */
export function presentTriggers(tables: string, trigger: string): string {
  return /* sql */ `(
        select count(*)::int
        from pg_catalog.unnest(${tables}::text[]) as t(name)
        join pg_catalog.pg_trigger g on g.tgrelid = to_regclass(t.name)
        where g.tgname = ${trigger}::text and g.tgenabled in ('O', 'A'))`
}
