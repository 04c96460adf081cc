import type { Pool } from 'pg'

/** Describes everything a schema holds, in an order and form that two equal schemas share. */
export async function describeSchema(pool: Pool, schema: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `with n as (select oid from pg_namespace where nspname = $1::text)
     select format('relation %s %s %s %s', c.relname, c.relkind, c.relpersistence, c.reloptions) as line
       from pg_class c join n on c.relnamespace = n.oid
     union all
     select format('column %s.%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
         a.attidentity, pg_get_expr(d.adbin, d.adrelid))
       from pg_attribute a join pg_class c on c.oid = a.attrelid join n on c.relnamespace = n.oid
       left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attnum > 0 and not a.attisdropped
     union all
     select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(k.oid))
       from pg_constraint k join n on k.connamespace = n.oid
     union all
     select format('index %s', pg_get_indexdef(i.indexrelid))
       from pg_index i join pg_class c on c.oid = i.indexrelid join n on c.relnamespace = n.oid
     union all
     select format('function %s', pg_get_functiondef(p.oid)) from pg_proc p join n on p.pronamespace = n.oid
     union all
     select format('type %s %s %s', t.typname, t.typtype,
         (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
       from pg_type t join n on t.typnamespace = n.oid
     union all
     select format('view %s %s', c.relname, pg_get_viewdef(c.oid))
       from pg_class c join n on c.relnamespace = n.oid where c.relkind = 'v'
     order by 1`,
    [schema],
  )
  return rows.map(({ line }) => line)
}

/** What the ledger says, as `package version name` lines. */
export async function ledger(pool: Pool, quotedSchema: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select format('%s %s %s', package, version, name) as line from ${quotedSchema}.migration order by package, version`,
  )
  return rows.map(({ line }) => line)
}
