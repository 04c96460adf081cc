/**
 * Making, rebuilding and removing an index: each in one transaction, one at a time under an advisory lock.
 *
 * States of an index: absent -> attached (generation 1) -> rebuilt (generation n + 1) -> absent. Invariants:
 * - the registry's row, the tables, the triggers and their function come and go together;
 * - in every generation, each row that a committed transaction left in the application's table has its document.
 */
import type { Database, HowdahError, Queryable } from '@howdah/core'
import { type SearchErrorCode, searchError } from './errors.js'
import type { Language } from './language/language.js'
import { fingerprint, indexNames, TRIGGER_EVENTS, tableOf, triggerName } from './names.js'
import type { Definition } from './options.js'
import { buildIndex, dropGeneration, dropTriggers } from './sql/build-index.js'
import { describeTable, type TableRow } from './sql/describe-table.js'
import { findIndex, type IndexRow } from './sql/find-index.js'
import { findLanguage } from './sql/find-language.js'
import { findRelation } from './sql/find-relation.js'
import { forgetIndex } from './sql/forget-index.js'
import { lockIndex } from './sql/lock-index.js'
import { registerIndex } from './sql/register-index.js'
import { unregisterIndex } from './sql/unregister-index.js'

/** Names of the triggers an index has on its table. */
export function triggerNames(schema: string, index: string): string[] {
  return TRIGGER_EVENTS.map((event) => triggerName(schema, index, event))
}

/**
 * Attaches the index unless it is; with `rebuild`, builds it anew also when it is.
 *
 * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_NO_UNACCENT, SEARCH_KEY_NOT_UNIQUE,
 * SEARCH_DEFINITION_CHANGED
 */
export async function attach(
  db: Database,
  definition: Definition,
  { rebuild = false }: { rebuild?: boolean } = {},
): Promise<void> {
  const { name } = definition
  await db.transaction(async (tx) => {
    await db.query(lockIndex(db.schema, name), tx)
    const table = await describe(db, definition, tx)
    const [known] = await db.query(findIndex(db.schema, name, triggerNames(db.schema, name)), tx)
    if (known !== undefined && !rebuild) {
      if (known.definition !== fingerprint(definition)) throw definitionChanged(name)
      if (isWhole(known, table)) return
    }
    const entry = { name, definition: fingerprint(definition), relation: table.oid }
    const [registered] = await db.query(registerIndex(db.schema, entry), tx)
    const { id, generation } = registered as { id: number; generation: number }
    if (known !== undefined && known.relation !== table.oid) {
      await leaveTable(db, name, known.relation, tx)
    }
    const names = indexNames(db.schema, id, generation)
    const { language } = table
    await runAll(tx, buildIndex({ schema: db.schema, id, definition, names, language }))
    if (known !== undefined) {
      await runAll(tx, dropGeneration(indexNames(db.schema, id, known.generation)))
    }
  })
}

/** Removes the index, its tables and its triggers, if it is there. */
export async function detach(db: Database, definition: Definition): Promise<void> {
  const { name } = definition
  await db.transaction(async (tx) => {
    await db.query(lockIndex(db.schema, name), tx)
    const [known] = await db.query(findIndex(db.schema, name, triggerNames(db.schema, name)), tx)
    if (known === undefined) return
    await leaveTable(db, name, known.relation, tx)
    const names = indexNames(db.schema, known.id, known.generation)
    await runAll(tx, [...dropGeneration(names), `drop function if exists ${names.changed}()`])
    await db.query(forgetIndex(db.schema, known.id), tx)
    await db.query(unregisterIndex(db.schema, name), tx)
  })
}

/** The application's table, and how its texts become words. */
export interface DescribedTable extends TableRow {
  readonly language: Language
}

/**
 * Reads the application's table and checks that the index can live on it.
 *
 * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_NO_UNACCENT,
 * SEARCH_KEY_NOT_UNIQUE
 */
export async function describe(
  db: Database,
  definition: Definition,
  client?: Queryable,
): Promise<DescribedTable> {
  const { table, key, language: config } = definition
  const [found] = await db.query(describeTable(db.schema, table, key), client)
  if (found === undefined || (found.kind !== 'r' && found.kind !== 'p')) {
    throw searchError(
      'SEARCH_UNKNOWN_TABLE',
      `There is no table ${tableOf(definition)}. Name an existing table with its schema; views cannot be indexed.`,
    )
  }
  const columns = [
    key,
    ...definition.classes.flatMap((group) => group.columns),
    ...definition.filters,
    ...definition.sort.map(({ column }) => column),
  ]
  const missing = columns.find((column) => !Object.hasOwn(found.columns, column))
  if (missing !== undefined) {
    throw searchError(
      'SEARCH_UNKNOWN_COLUMN',
      `The table ${tableOf(definition)} has no column '${missing}'. Correct the index's options, or add the column.`,
    )
  }
  if (!found.unique_key) {
    throw searchError(
      'SEARCH_KEY_NOT_UNIQUE',
      `The column '${key}' must be a primary key by itself, or have a unique index of its own that is not deferrable.`,
    )
  }
  const [language] = await db.query(findLanguage(db.schema, config), client)
  if (language === undefined) {
    throw searchError(
      'SEARCH_UNKNOWN_LANGUAGE',
      `There is no text search configuration '${config.schema}.${config.name}'. See \\dF in psql for those there are.`,
    )
  }
  if (definition.unaccent && language.unaccent === null) {
    throw searchError(
      'SEARCH_NO_UNACCENT',
      'The extension unaccent is not installed in this database. Run `create extension unaccent`, or leave out the option.',
    )
  }
  const unaccent = definition.unaccent ? (language.unaccent ?? undefined) : undefined
  return { ...found, language: { config, unaccent } }
}

/** Whether nobody has taken the table or the triggers from under the index. */
export function isWhole(known: IndexRow, table: TableRow): boolean {
  return known.relation === table.oid && known.triggers === TRIGGER_EVENTS.length
}

/** The error of an index that was attached with another definition. */
export function definitionChanged(name: string): HowdahError<SearchErrorCode> {
  return searchError(
    'SEARCH_DEFINITION_CHANGED',
    `The index '${name}' was attached with another table, key, fields or language. Call rebuild() to apply the new ones, once, in a deployment step.`,
  )
}

async function leaveTable(db: Database, name: string, relation: string, tx: Queryable) {
  const [found] = await db.query(findRelation(db.schema, relation), tx)
  if (found !== undefined) await runAll(tx, dropTriggers(db.schema, name, found.name))
}

async function runAll(tx: Queryable, statements: readonly string[]): Promise<void> {
  for (const text of statements) await tx.query({ text })
}
