import type { Check } from './check.js'

/** Whether a table or view is there, and the role may read it. */
export async function mayRead(
  query: Parameters<Check['run']>[0]['query'],
  schema: string,
  name: string,
): Promise<boolean> {
  const rows = await query(
    `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1::text and c.relname = $2::text and has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage')`,
    [schema, name],
  )
  return rows.length > 0
}
