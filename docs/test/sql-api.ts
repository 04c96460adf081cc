import type { MigrationSet } from '@howdah/core'
import { Database } from '@howdah/core'
import type pg from 'pg'

/** A function that people may call, as the catalog has it. */
interface SqlFunction {
  readonly name: string
  readonly arguments: string
  readonly answers: string
  readonly about: string
}

/** A view, and its columns in their order. */
interface SqlView {
  readonly name: string
  readonly about: string | null
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly about: string | null
  }[]
}

/** What a package brings into the schema for people. */
export interface SqlPackage {
  readonly package: string
  readonly functions: readonly SqlFunction[]
  readonly views: readonly SqlView[]
}

/** Migrates one package after the other into a schema of their own, and answers what each has added that has a comment; of views all. */
export async function readSqlApi(
  pool: pg.Pool,
  schema: string,
  sets: readonly MigrationSet[],
): Promise<SqlPackage[]> {
  const db = Database.from(pool, { schema })
  const packages: SqlPackage[] = []
  const known = new Set<string>()
  const fresh = <T extends { readonly name: string }>(all: readonly T[]): T[] => {
    const added = all.filter(({ name }) => !known.has(name))
    for (const { name } of added) known.add(name)
    return added
  }
  for (const set of sets) {
    await db.migrator.up([set])
    const functions = await pool.query<SqlFunction>(FUNCTIONS, [schema])
    const views = await pool.query<SqlView>(VIEWS, [schema])
    packages.push({
      package: set.package,
      functions: fresh(functions.rows),
      views: fresh(views.rows),
    })
  }
  await db.close()
  return packages
}

/** No function of ours is overloaded, so that its name is enough to know it by. */
const FUNCTIONS = /* sql */ `
  select p.proname as name, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as answers,
    obj_description(p.oid, 'pg_proc') as about
  from pg_proc p where p.pronamespace = quote_ident($1)::regnamespace and obj_description(p.oid, 'pg_proc') is not null
  order by p.proname collate "C"`

const VIEWS = /* sql */ `
  select c.relname as name, obj_description(c.oid, 'pg_class') as about,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'about', col_description(c.oid, a.attnum)) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c where c.relnamespace = quote_ident($1)::regnamespace and c.relkind = 'v'
  order by c.relname collate "C"`

const INTRODUCTION = `# The SQL API

What psql, triggers, pg_cron and other languages may call, and the views they may read. It means the same as the TypeScript API, which calls the same functions. Everything lies in the schema that you
chose, \`howdah\` by default, takes part in the transaction it is called in, and runs with the rights of whoever calls it. Functions of the schema that are not on this page are for the library alone, and may change in any release.

This page is made from the comments in the database, which \`\\df+ howdah.*\` and \`\\d+ howdah.queue_stats\` of psql show as well; a test compares the two. Write it anew with \`npm test -- docs/test/sql-api.test.ts -u\`.
`

/** The page, from what the catalog says. */
export function sqlApiPage(packages: readonly SqlPackage[]): string {
  const chapters = packages.map((one) => {
    const functions = one.functions.map(functionSection)
    const views = one.views.map(viewSection)
    return [`## @howdah/${one.package}\n`, ...functions, ...views].join('\n')
  })
  const contents = packages.map(
    ({ package: name, functions, views }) =>
      `- [@howdah/${name}](#howdah${name}): ${[...functions, ...views].map((one) => `[${one.name}](#${one.name})`).join(', ')}`,
  )
  return [INTRODUCTION, `${contents.join('\n')}\n`, ...chapters].join('\n')
}

function functionSection({ name, arguments: given, answers, about }: SqlFunction): string {
  return `### ${name}\n\n\`\`\`sql\n${name}(${given})\n  returns ${answers}\n\`\`\`\n\n${about}\n`
}

function viewSection({ name, about, columns }: SqlView): string {
  const rows = columns.map(
    (column) => `| \`${column.name}\` | ${column.type} | ${column.about ?? ''} |`,
  )
  return `### ${name}\n\nA view. ${about ?? ''}\n\n| column | type | |\n|---|---|---|\n${rows.join('\n')}\n`
}
