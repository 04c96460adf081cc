import { HowdahError } from '../errors.js'
import { ident, literal } from '../ident.js'
import { createLedger } from '../sql/migrator-create-ledger.js'
import { createSchema } from '../sql/migrator-create-schema.js'
import { lockSchema } from '../sql/migrator-lock.js'
import type { MigrationSet } from './migration.js'
import { allStepsOf, type Step, type Steps } from './migration-set.js'

/** Options of {@link migrationSql}. */
export interface MigrationSqlOptions {
  /** Schema to write the script for, not quoted. @defaultValue `'howdah'` */
  readonly schema?: string | undefined
  /** `'up'` applies every step, `'down'` takes every step back. @defaultValue `'up'` */
  readonly direction?: 'up' | 'down' | undefined
  /**
   * Version that each package has in the database, by its name: `'up'` starts after it, `'down'` starts from it.
   *
   * @defaultValue 0 for `'up'`, the latest for `'down'`
   */
  readonly current?: Readonly<Record<string, number>> | undefined
}

/**
 * Writes what the {@link Migrator} would run as one script, for those who review SQL or let a database administrator run it. It
 * runs in `psql` and in anything else that takes several statements at once; all of it is applied, or nothing. Ledger rows are
 * part of it, so `migrate: 'manual'` accepts the outcome.
 *
 * @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_INVALID_NAME
 *
 * @example
 * ```ts
 * import { type MigrationSet, migrationSql } from '@howdah/core'
 *
 * const notes: MigrationSet = { package: 'notes', migrations: [] }
 * const script = migrationSql([notes], { schema: 'app_howdah' })
 * ```
 */
export function migrationSql(
  sets: readonly MigrationSet[],
  { schema = 'howdah', direction = 'up', current = {} }: MigrationSqlOptions = {},
): string {
  const s = ident(schema)
  if (direction !== 'up' && direction !== 'down') {
    throw new HowdahError('CORE_INVALID_OPTION', "direction must be 'up' or 'down'.")
  }
  const all = allStepsOf(sets)
  const moves = (direction === 'up' ? all : all.toReversed()).flatMap((steps) =>
    chosen(steps, direction, current).map((step) => move(s, steps.package, step, direction)),
  )
  const parts = [
    `-- Howdah migrations (${direction}) for schema ${s.replaceAll(/[\r\n]/g, ' ')}`,
    statement('begin isolation level read committed'),
    statement(lockSchema(s).text),
    ...(direction === 'up'
      ? [statement(schemaIfMissing(s, schema)), statement(createLedger(s).text)]
      : []),
    ...moves,
    statement('commit'),
  ]
  return `${parts.join('\n\n')}\n`
}

function chosen(
  steps: Steps,
  direction: 'up' | 'down',
  current: Readonly<Record<string, number>>,
): readonly Step[] {
  const given = Object.hasOwn(current, steps.package) ? current[steps.package] : undefined
  const version = given ?? (direction === 'up' ? 0 : steps.latest)
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new HowdahError(
      'CORE_INVALID_OPTION',
      `current['${steps.package}'] must be a version, not ${String(version)}.`,
    )
  }
  return direction === 'up'
    ? steps.steps.slice(version)
    : steps.steps.slice(0, version).toReversed()
}

/** Names and checksums hold letters, digits and hyphens only, so they need no escapes here. */
function move(s: string, owner: string, step: Step, direction: 'up' | 'down'): string {
  const { version, name, checksum, oldestClient } = step
  const note =
    direction === 'up'
      ? `insert into ${s}.migration (package, version, name, checksum, oldest_client)\nvalues ('${owner}', ${version}, '${name}', '${checksum}', ${oldestClient})`
      : `delete from ${s}.migration where package = '${owner}' and version = ${version}`
  return [`-- ${owner} ${version}: ${name}`, ...[...step[direction](s), note].map(statement)].join(
    '\n',
  )
}

/** `create schema if not exists` demands the right to create even where the schema exists. */
function schemaIfMissing(s: string, name: string): string {
  const body = `
begin
  if not exists (select from pg_catalog.pg_namespace where nspname = ${literal(name)}) then
    ${createSchema(s).text};
  end if;
end`
  let tag = '$howdah$'
  while (body.includes(tag)) tag = `$_${tag.slice(1)}`
  return `do ${tag}${body}\n${tag}`
}

/** Ends on a line of its own, in case the statement's last line is a comment. */
function statement(text: string): string {
  const trimmed = unindent(text)
  return trimmed.slice(trimmed.lastIndexOf('\n') + 1).includes('--')
    ? `${trimmed}\n;`
    : `${trimmed};`
}

function unindent(text: string): string {
  return text.replace(/^\s*\n/, '').trimEnd()
}
