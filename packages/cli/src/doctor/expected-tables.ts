import type { MigrationSet } from '@howdah/core'

/** A table as migrations make it. */
export interface ExpectedTable {
  readonly name: string
  readonly package: string
  readonly primaryKey: boolean
  /** How many unique constraints it has. */
  uniques: number
  /** Indexes of their own, with the statement that makes each. */
  readonly indexes: Map<string, string>
}

const TABLE = /^create (?:unlogged )?table (?:if not exists )?(\S+) \(([\s\S]*)\)/i
const INDEX = /^create (?:unique )?index (?:if not exists )?(\S+) on (\S+)/i
const DROP = /^drop (table|index) (?:if exists )?([^;]+)$/i

/**
 * Reads from the statements of migrations which tables and indexes they leave. `versions` says up to which step of each package.
 *
 * @param schema - its quoted name, as the statements have it
 */
export function expectedTables(
  sets: readonly MigrationSet[],
  versions: ReadonlyMap<string, number>,
  schema: string,
): Map<string, ExpectedTable> {
  const tables = new Map<string, ExpectedTable>()
  for (const { package: owner, migrations } of sets) {
    for (const { version, up } of migrations) {
      if (version > (versions.get(owner) ?? 0)) continue
      for (const statement of up(schema)) read(statement.trim(), owner, schema, tables)
    }
  }
  return tables
}

function read(
  statement: string,
  owner: string,
  schema: string,
  tables: Map<string, ExpectedTable>,
): void {
  const bare = (name: string) =>
    (name.startsWith(`${schema}.`) ? name.slice(schema.length + 1) : name).replaceAll('"', '')
  const [, table, body = ''] = TABLE.exec(statement) ?? []
  if (table !== undefined) {
    tables.set(bare(table), {
      name: bare(table),
      package: owner,
      primaryKey: /\bprimary key\b/i.test(body),
      uniques: body.match(/\bunique\b/gi)?.length ?? 0,
      indexes: new Map(),
    })
    return
  }
  const [, index, on] = INDEX.exec(statement) ?? []
  if (index !== undefined && on !== undefined) {
    tables.get(bare(on))?.indexes.set(bare(index), statement)
    return
  }
  const [, kind, names = ''] = DROP.exec(statement) ?? []
  for (const name of kind === undefined ? [] : names.split(',').map((one) => bare(one.trim()))) {
    if (kind?.toLowerCase() === 'table') tables.delete(name)
    else for (const { indexes } of tables.values()) indexes.delete(name)
  }
}
