import { ident } from '../ident.js'
import { createLedger, deleteLedger, insertLedger, lockSchema } from '../sql/migrator.js'
import type { MigrationSet } from './migration.js'
import { allStepsOf } from './migration-set.js'

/** Options of {@link migrationSql}. */
export interface MigrationSqlOptions {
  /** Schema the script is for. @defaultValue `'howdah'` */
  readonly schema?: string | undefined
  /** @defaultValue `'up'` */
  readonly direction?: 'up' | 'down' | undefined
  /** Version each package stands at already; packages left out stand at 0 going up, and at their latest going down. */
  readonly current?: Readonly<Record<string, number>> | undefined
}

/**
 * Writes the migrations as one reviewable SQL script for `psql`, for those who change schemas by hand: the same statements, lock and
 * ledger rows that `db.migrator` would use.
 *
 * @throws {@link HowdahError} CORE_INVALID_OPTION, CORE_INVALID_NAME
 *
 * @example
 * ```ts
 * import { type MigrationSet, migrationSql } from '@howdah/core'
 *
 * const set: MigrationSet = {
 *   package: 'example',
 *   migrations: [
 *     {
 *       version: 1,
 *       name: 'initial',
 *       up: (s) => [`create table ${s}.note (body text)`],
 *       down: (s) => [`drop table ${s}.note`],
 *     },
 *   ],
 * }
 * migrationSql([set], { schema: 'howdah' })
 * ```
 */
export function migrationSql(
  sets: readonly MigrationSet[],
  { schema = 'howdah', direction = 'up', current = {} }: MigrationSqlOptions = {},
): string {
  const s = ident(schema)
  const lines = ['begin isolation level read committed read write;', `${lockSchema(schema)};`]
  if (direction === 'up') lines.push(`create schema if not exists ${s};`, `${createLedger(s)};`)
  for (const steps of allStepsOf(sets)) {
    const at = current[steps.package] ?? (direction === 'up' ? 0 : steps.latest)
    const chosen = steps.steps.filter(({ version }) =>
      direction === 'up' ? version > at : version <= at,
    )
    for (const step of direction === 'up' ? chosen : chosen.reverse()) {
      const row = { ...step, package: steps.package }
      lines.push('', `-- ${steps.package} ${step.version}: ${step.name}`)
      const statements = direction === 'up' ? step.up(s) : step.down(s)
      lines.push(...statements.map((text) => `${text};`))
      lines.push(`${direction === 'up' ? insertLedger(s, row) : deleteLedger(s, row)};`)
    }
  }
  lines.push('', 'commit;', '')
  return lines.join('\n')
}
