import { ident } from '@howdah/core'
import { type Check, type Finding, fact } from '../check.js'
import type { DoctorContext } from '../context.js'

export const roleRights: Check = {
  id: 'role-rights',
  title: 'Rights of the role',
  async run(context) {
    const { server, schema, db } = context
    const role = ident(server.role)
    const findings: Finding[] = server.superuser
      ? [fact(`Role ${role} is a superuser, for whom row-level security does not count.`)]
      : [fact(`Role ${role}.`)]
    if (!server.seesAll) {
      findings.push(
        fact(
          `Role ${role} sees of other roles' sessions only that they are there; to have them named: grant pg_read_all_stats to ${role};`,
        ),
      )
    }
    if (!server.schemaExists) return findings
    if (!server.mayUseSchema) {
      return [
        ...findings,
        {
          level: 'error',
          what: `Role ${role} may not use schema ${db.schema}.`,
          costs: 'Every statement of Howdah fails.',
          mend: `grant usage on schema ${db.schema} to ${role};`,
        },
      ]
    }
    for (const row of await missingRights(context)) {
      findings.push({
        level: 'error',
        what: `Role ${role} lacks ${row.rights.join(', ')} on ${row.names.join(', ')} in schema ${db.schema}.`,
        costs:
          'Statements that need it fail with "permission denied", some of them only in rare moments.',
        mend: `${row.kinds.map((kind) => GRANTS[kind](db.schema, role)).join(' ')} And so that it stays right after migrations: ${row.kinds.map((kind) => DEFAULTS[kind](db.schema, role)).join(' ')}`,
      })
    }
    if (!(await mayCreate(context))) {
      findings.push(
        fact(
          `Role ${role} may not create in schema ${ident(schema)}, so another role applies migrations.`,
        ),
      )
    }
    return findings
  },
}

type Kind = 'table' | 'sequence' | 'function'

const RIGHTS: Record<Kind, string> = {
  table: 'select, insert, update, delete',
  sequence: 'usage, select, update',
  function: 'execute',
}
const GRANTS = grants(
  (kind, s, role) => `grant ${RIGHTS[kind]} on all ${kind}s in schema ${s} to ${role};`,
)
const DEFAULTS = grants(
  (kind, s, role) =>
    `alter default privileges in schema ${s} grant ${RIGHTS[kind]} on ${kind}s to ${role};`,
)

function grants(text: (kind: Kind, schema: string, role: string) => string) {
  const of = (kind: Kind) => (schema: string, role: string) => text(kind, schema, role)
  return { table: of('table'), sequence: of('sequence'), function: of('function') }
}

interface Missing {
  readonly kinds: readonly Kind[]
  readonly rights: readonly string[]
  readonly names: readonly string[]
}

/** Objects that lack the same rights share a row. Of the ledger of migrations only reading is needed. */
function missingRights({ query, schema }: DoctorContext): Promise<Missing[]> {
  return query<Missing>(
    /* sql */ `
    with object as (
      select c.relname::text as name, k.kind, array(
        select r.name from unnest(case when c.relname = 'migration' then array['select'] else k.rights end) as r(name)
        where not case k.kind when 'table' then has_table_privilege(c.oid, r.name) else has_sequence_privilege(c.oid, r.name) end) as rights
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join (values ('r', 'table', array['select', 'insert', 'update', 'delete']), ('p', 'table', array['select', 'insert', 'update', 'delete']),
        ('v', 'table', array['select']), ('m', 'table', array['select']),
        ('S', 'sequence', array['usage', 'select', 'update'])) as k(relkind, kind, rights) on k.relkind = c.relkind
      where n.nspname = $1::text
      union all
      select p.proname || '()', 'function', array['execute']
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = $1::text and not has_function_privilege(p.oid, 'execute')
    )
    select to_jsonb(array_agg(distinct o.kind)) as kinds, to_jsonb(o.rights) as rights, to_jsonb(array_agg(o.name order by o.name)) as names
    from object o where cardinality(o.rights) > 0 group by o.rights order by min(o.name)`,
    [schema],
  )
}

async function mayCreate({ query, schema }: DoctorContext): Promise<boolean> {
  const [row] = await query<{ may: boolean }>(
    `select has_schema_privilege(n.oid, 'create') as may from pg_namespace n where n.nspname = $1::text`,
    [schema],
  )
  return row?.may === true
}
