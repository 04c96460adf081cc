/**
 * Making, rebuilding and removing an index.
 *
 * States of a generation: absent -> filling -> filled -> absent. One of an index is live, which is what searches use. Invariants:
 * - the registry's row of a generation, its tables, functions and triggers come together, in one transaction under a lock;
 * - they go in several, triggers first and the registry's row last, so that whoever finds the row can go on with it: no
 *   transaction holds a lock on the application's table while it waits for one on ours, which searches take the other way round;
 * - the first generation is live from the start; a later one once it is filled, in one update of the registry.
 */
import {
  Backoff,
  type Database,
  type HowdahError,
  type Queryable,
  sqlState,
  type TransactionHandle,
} from '@howdah/core'
import { type SearchEngine, unsupported } from './engine/engine.js'
import { engineOf, engineOfFingerprint } from './engine/engine-of.js'
import { type SearchErrorCode, searchError } from './errors.js'
import { checkPlaces } from './geo/places.js'
import type { Language } from './language/language.js'
import { tidyOnce } from './maintenance.js'
import { fingerprint, indexNames, TRIGGER_EVENTS, tableOf, triggerName } from './names.js'
import { attributesOf } from './native/attributes.js'
import { maintenanceLock } from './native/maintain.js'
import { dropGeneration } from './native/tables.js'
import { dropTriggers } from './native/triggers.js'
import type { Definition } from './options.js'
import {
  type ColumnType,
  comparedType,
  describeTable,
  type TableRow,
} from './sql/describe-table.js'
import { fillSome } from './sql/engine-calls.js'
import { findIndex, type GenerationRow } from './sql/find-index.js'
import { findLanguage } from './sql/find-language.js'
import { findRelation } from './sql/find-relation.js'
import { foldWords } from './sql/fold-words.js'
import { forgetRules, forgetWords, lockWords } from './sql/forget-index.js'
import { lockIndex } from './sql/lock-index.js'
import { publishGeneration } from './sql/publish-generation.js'
import { forgetLog } from './sql/query-log.js'
import { readProgress } from './sql/read-progress.js'
import { registerIndex } from './sql/register-index.js'
import { unregisterGeneration, unregisterIndex } from './sql/unregister.js'

/**
 * How long a change waits for a lock on a table, and so holds up those who come after it, before it lets them pass. Shorter than PostgreSQL waits to look
 * for a deadlock, so that it is we who give way: a search takes the tables in another order than they are dropped in.
 */
const LOCK_TIMEOUT = '300ms'
/** Batches of rows whose words are added up together, for many are the same. */
const FOLDED_BATCHES = 8
const LOCK_NOT_AVAILABLE = '55P03'

/** How far an index has come with the rows that were there before it. */
export interface FillProgress {
  readonly filled: number
  /** PostgreSQL's estimate of how many there are; never less than `filled`. */
  readonly rows: number
}

/** How an index is made or made anew. */
export interface AttachOptions {
  /** Called after every some thousand rows. */
  readonly onProgress?: ((progress: FillProgress) => void) | undefined
  /** Stops between two batches; the next call goes on from there. */
  readonly signal?: AbortSignal | undefined
}

/** Reads the generations of an index, the newest first. */
export async function generationsOf(
  db: Database,
  name: string,
  client?: TransactionHandle,
): Promise<GenerationRow[]> {
  const [pattern] = triggerName(db.schema, name, 0, 'insert').split('_0_')
  return db.query(findIndex(db.schema, name, `${pattern}_*_`), client)
}

/**
 * Attaches the index unless it is; with `rebuild`, builds it anew also when it is.
 *
 * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_NO_UNACCENT,
 * SEARCH_KEY_NOT_UNIQUE, SEARCH_ROWS_HIDDEN, SEARCH_DEFINITION_CHANGED
 */
export async function attach(
  db: Database,
  definition: Definition,
  { rebuild = false, onProgress, signal }: AttachOptions & { rebuild?: boolean } = {},
): Promise<void> {
  const wanted = await patiently(() => db.transaction((tx) => open(db, definition, rebuild, tx)))
  await fill(db, wanted, engineOf(definition.engine), onProgress, signal)
  await db.query(publishGeneration(db.schema, wanted.id, wanted.generation))
  await removeAll(db, definition.name, (row) => row.generation < wanted.generation)
}

/** Removes the index, its tables and its triggers, if it is there. */
export async function detach(db: Database, { name }: Definition): Promise<void> {
  const [known] = await generationsOf(db, name)
  if (known === undefined) return
  await db.query(publishGeneration(db.schema, known.id, 0))
  await removeAll(db, name, () => true)
  await db.transaction(async (tx) => {
    await db.query(lockIndex(db.schema, name), tx)
    const rows = await generationsOf(db, name, tx)
    if (rows.every(({ generation }) => generation === 0)) {
      await db.query(forgetRules(db.schema, known.id), tx)
      await db.query(forgetLog(db.schema, known.id), tx)
      await db.query(unregisterIndex(db.schema, name), tx)
    }
  })
}

/** Answers the generation that is to be filled: the live one, one that was left unfinished, or a new one. */
async function open(db: Database, definition: Definition, rebuild: boolean, tx: Queryable) {
  const { name } = definition
  await db.query(lockIndex(db.schema, name), tx)
  const table = await describe(db, definition, tx)
  const rows = await generationsOf(db, name, tx)
  const live = rows.find((row) => row.live)
  const own = fingerprint(definition)
  if (live !== undefined && !rebuild) {
    if (live.definition !== own) throw definitionChanged(name)
    if (await isWhole(db, live, table, definition, tx)) return checkRights(live, table, definition)
  }
  const [newest] = rows
  if (
    newest !== undefined &&
    !newest.filled &&
    newest.definition === own &&
    (await isWhole(db, newest, table, definition, tx))
  )
    return checkRights(newest, table, definition)
  checkRights({ filled: false }, table, definition)
  const engine = engineOf(definition.engine)
  refuseSecond(engine, rows)
  const extension = await engine.probe(db, table, definition, tx)
  const entry = { name, definition: own, relation: table.oid }
  const [made] = await db.query(registerIndex(db.schema, entry), tx)
  const { id, generation, vocabulary } = made as Numbers
  if (live === undefined) await db.query(publishGeneration(db.schema, id, generation), tx)
  await tx.query({ text: `set local lock_timeout = '${LOCK_TIMEOUT}'` })
  const names = indexNames(db.schema, id, generation)
  const keyType = comparedType(table.columns[definition.key] as ColumnType)
  const { schema } = db
  const { language, columns } = table
  const attributes = engine.capabilities.has('masks') ? attributesOf(definition, columns) : []
  const numbers = { id, generation, vocabulary }
  const part = { schema, ...numbers, definition, language, names, keyType, columns }
  for (const text of engine.create({ ...part, attributes, extension })) await tx.query({ text })
  return { id, generation, vocabulary }
}

/** Answers the generation that it is given, unless there are rows to be read of which some may be hidden. @throws {@link HowdahError} SEARCH_ROWS_HIDDEN */
function checkRights<T extends Pick<GenerationRow, 'filled'>>(
  row: T,
  { bound }: TableRow,
  definition: Definition,
): T {
  if (row.filled || !bound) return row
  throw searchError(
    'SEARCH_ROWS_HIDDEN',
    `Row-level security of ${tableOf(definition)} may hide rows from this role, and they would be missing in the index. Call attach() and rebuild() as a role that it does not bind: a superuser, one with BYPASSRLS, or the table's owner where it is not forced.`,
  )
}

/** Some engines cannot have an index beside another on one table. */
function refuseSecond(engine: SearchEngine, rows: readonly GenerationRow[]): void {
  const another = rows.some(
    ({ generation, definition }) =>
      generation > 0 && engineOfFingerprint(definition).name === engine.name,
  )
  if (!another || engine.capabilities.has('rebuild')) return
  throw unsupported(engine.name, 'builds no index beside another; call detach(), then attach()')
}

type Numbers = Pick<GenerationRow, 'id' | 'generation' | 'vocabulary'>

async function fill(
  db: Database,
  { id, generation, vocabulary }: Numbers,
  { fills, maintains }: SearchEngine,
  onProgress: AttachOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const names = indexNames(db.schema, id, generation)
  const step = fillSome(names)
  let batches = 0
  for (;;) {
    signal?.throwIfAborted()
    const [at] = fills ? await db.query(step) : [{ done: true }]
    // Merged as it grows, so that the space of what was merged is there for what comes.
    while (maintains && ![undefined, 'busy'].includes(await tidyOnce(db, names, false))) {
      signal?.throwIfAborted()
    }
    const last = at?.done !== false
    if (++batches % FOLDED_BATCHES === 0 || last) await foldAll(db, vocabulary)
    if (last) return
    if (onProgress === undefined) continue
    const [progress] = await db.query(readProgress(db.schema, id, generation))
    if (progress === undefined) return
    onProgress({ filled: Number(progress.filled), rows: Number(progress.rows) })
  }
}

/** Adds up the words of all that was filled, unless another process is at it. */
async function foldAll(db: Database, vocabulary: number): Promise<void> {
  for (;;) {
    const [fold] = await db.query(foldWords(db.schema, vocabulary, true))
    if ((fold?.folded ?? 0) === 0) return
  }
}

/** Removes generations: their triggers, then their tables, then their rows of the registry. */
async function removeAll(
  db: Database,
  name: string,
  which: (row: GenerationRow) => boolean,
): Promise<void> {
  const { schema } = db
  for (const row of await generationsOf(db, name)) {
    if (row.generation === 0 || !which(row)) continue
    const { id, generation, vocabulary, relation } = row
    const names = indexNames(schema, id, generation)
    const engine = engineOfFingerprint(row.definition)
    await patiently(() =>
      db.transaction(async (tx) => {
        await db.query(lockIndex(db.schema, name), tx)
        await tx.query({ text: `set local lock_timeout = '${LOCK_TIMEOUT}'` })
        await tx.query({ text: dropTriggers({ names }) })
        const [found] = await db.query(findRelation(db.schema, relation), tx)
        if (found === undefined) return
        await runAll(tx, engine.leave(db.schema, name, generation, found.name)).catch(inUse)
      }),
    )
    await patiently(() =>
      db.transaction(async (tx) => {
        await db.query(lockIndex(db.schema, name), tx)
        await tx.query({ text: `set local lock_timeout = '${LOCK_TIMEOUT}'` })
        // No step of the background is under way then, and none begins.
        await tx.query({ text: `select pg_advisory_xact_lock(${maintenanceLock({ schema, id })})` })
        await runAll(tx, dropGeneration({ names }))
        await db.query(lockWords(schema, vocabulary), tx)
        await db.query(forgetWords(schema, vocabulary), tx)
        await db.query(unregisterGeneration(schema, id, generation), tx)
      }),
    )
  }
}

/** Tries again for as long as others hold a lock on the table, letting those who wait behind us pass in between. */
async function patiently<T>(change: () => Promise<T>): Promise<T> {
  const backoff = new Backoff({})
  for (;;) {
    try {
      return await change()
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error
      await new Promise((resolve) => setTimeout(resolve, backoff.next()))
    }
  }
}

/** The application's table, and how its texts become words. */
export interface DescribedTable extends TableRow {
  readonly language: Language
}

/**
 * Reads the application's table and checks that the index can live on it.
 *
 * @throws {@link HowdahError} SEARCH_UNKNOWN_TABLE, SEARCH_UNKNOWN_COLUMN, SEARCH_UNKNOWN_LANGUAGE, SEARCH_NO_UNACCENT,
 * SEARCH_KEY_NOT_UNIQUE, SEARCH_INVALID_OPTION
 */
export async function describe(
  db: Database,
  definition: Definition,
  client?: TransactionHandle,
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
    ...(definition.tenant === undefined ? [] : [definition.tenant.column]),
    ...definition.geo.flatMap(({ lat, lon }) => [lat, lon]),
  ]
  const missing = columns.find((column) => !Object.hasOwn(found.columns, column))
  if (missing !== undefined) {
    throw searchError(
      'SEARCH_UNKNOWN_COLUMN',
      `The table ${tableOf(definition)} has no column '${missing}'. Correct the index's options, or add the column.`,
    )
  }
  checkPlaces(definition, found.columns)
  if (!found.unique_key) {
    throw searchError(
      'SEARCH_KEY_NOT_UNIQUE',
      `The column '${key}' must be a primary key by itself, or have a unique index of its own that is not deferrable.`,
    )
  }
  if (definition.tenant !== undefined) checkTenant(definition.tenant.column, found)
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

/** @throws {@link HowdahError} SEARCH_INVALID_OPTION */
function checkTenant(column: string, { columns }: TableRow): void {
  const { kind, element, type } = columns[column] as ColumnType
  if (kind !== null && element === null) return
  throw searchError(
    'SEARCH_INVALID_OPTION',
    `The column '${column}' of tenants has the type ${type}. It must be text with a deterministic collation, a whole number, numeric, uuid, boolean, a date or time, or an enum.`,
  )
}

/** Whether nobody has taken the table, the triggers or what else the engine has there from under the generation. */
async function isWhole(
  db: Database,
  { id, generation, relation, triggers }: GenerationRow,
  table: TableRow,
  definition: Definition,
  client: Queryable,
): Promise<boolean> {
  if (relation !== table.oid || triggers !== TRIGGER_EVENTS.length) return false
  const names = indexNames(db.schema, id, generation)
  const part = { schema: db.schema, id, generation, definition, names }
  return engineOf(definition.engine).isWhole(db, table, part, client)
}

/** The error of an index that was attached with another definition. */
export function definitionChanged(name: string): HowdahError<SearchErrorCode> {
  return searchError(
    'SEARCH_DEFINITION_CHANGED',
    `The index '${name}' was attached with another table, key, fields, facets, filters, tenant or language. Call rebuild() to apply the new ones, once, in a deployment step.`,
  )
}

const DEPENDED_ON = '2BP01'

function inUse(error: unknown): never {
  if (sqlState(error) !== DEPENDED_ON) throw error
  const { message, detail = message } = error as Error & { readonly detail?: string }
  throw searchError(
    'SEARCH_COLUMN_IN_USE',
    `Something was made on the columns of the index, such as a view of all columns of its table: ${detail}. Remove that, then call this again.`,
    { cause: error },
  )
}

async function runAll(tx: Queryable, statements: readonly string[]): Promise<void> {
  for (const text of statements) await tx.query({ text })
}
