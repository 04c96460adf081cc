import { ident } from '@howdah/core'
import { type Check, type Finding, fact } from '../check.js'
import { type ExpectedTable, expectedTables } from '../expected-tables.js'

/** A table of the schema as the server has it. */
interface Actual {
  readonly name: string
  readonly primary: boolean
  readonly uniques: number
  readonly indexes: readonly string[]
  readonly invalid: readonly string[]
}

export const indexes: Check = {
  id: 'indexes',
  title: 'Tables and indexes',
  async run({ query, schema, db, sets, statuses }) {
    const versions = new Map((await statuses()).map((one) => [one.package, one.current]))
    const expected = expectedTables(sets, versions, db.schema)
    const actual = new Map(
      (await query<Actual>(ACTUAL, [schema])).map((table) => [table.name, table]),
    )
    const findings = [...expected.values()].flatMap((table) =>
      compare(table, actual.get(table.name), db.schema),
    )
    for (const { invalid } of actual.values()) {
      for (const index of invalid) findings.push(broken(`${db.schema}.${ident(index)}`))
    }
    return findings.length > 0 ? findings : [fact(`All are there: ${expected.size} tables.`)]
  },
}

function compare(expected: ExpectedTable, actual: Actual | undefined, schema: string): Finding[] {
  const table = `${schema}.${ident(expected.name)}`
  if (actual === undefined) {
    return [
      {
        level: 'error',
        what: `Table ${table} of @howdah/${expected.package} is missing.`,
        costs: 'Everything that needs it fails.',
        mend: `Restore it from a backup, or take its definition from: npx @howdah/cli migrate print ${expected.package}`,
      },
    ]
  }
  const findings: Finding[] = []
  for (const [index, statement] of expected.indexes) {
    if (actual.indexes.includes(index)) continue
    const sql = statement.replace(/^create (unique )?index /i, 'create $1index concurrently ')
    findings.push(missing(`Index ${schema}.${ident(index)} on ${table}`, `${oneLine(sql)};`))
  }
  const definition = `npx @howdah/cli migrate print ${expected.package}`
  if (expected.primaryKey && !actual.primary) {
    const mend = `alter table ${table} add primary key (...), with the columns that ${definition} shows.`
    findings.push(missing(`The primary key of ${table}`, mend))
  }
  if (actual.uniques < expected.uniques) {
    const mend = `alter table ${table} add unique (...), with the columns that ${definition} shows.`
    findings.push(missing(`A unique constraint of ${table}`, mend))
  }
  return findings
}

function missing(what: string, mend: string): Finding {
  return {
    level: 'error',
    what: `${what} is missing.`,
    costs:
      'Statements read the whole table, slower with every row; where it was unique, rows may come twice.',
    mend,
  }
}

function broken(index: string): Finding {
  return {
    level: 'error',
    what: `Index ${index} is invalid: building it failed.`,
    costs: 'It is written at every change and used by no read.',
    mend: `reindex index concurrently ${index};`,
  }
}

function oneLine(sql: string): string {
  return sql.replaceAll(/\s+/g, ' ')
}

const ACTUAL = /* sql */ `
  select c.relname::text as name,
    exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as primary,
    (select count(*) from pg_constraint k where k.conrelid = c.oid and k.contype = 'u')::int as uniques,
    to_jsonb(array(select x.relname::text from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid)) as indexes,
    to_jsonb(array(select x.relname::text from pg_index i join pg_class x on x.oid = i.indexrelid
      where i.indrelid = c.oid and not (i.indisvalid and i.indisready) and not exists (
        select from pg_stat_progress_create_index p where p.index_relid = x.oid))) as invalid
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1::text and c.relkind in ('r', 'p')`
