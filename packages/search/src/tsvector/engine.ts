/**
 * The documents are columns of the application's own table, with a GIN index: no tables of ours, no background work on documents, and every search
 * looks at every row that matches. See `docs/decisions/0008-search-engines.md`.
 */
import { type SearchCapability, type SearchEngine, unsupported } from '../engine/engine.js'
import { exhaustiveSearchFunction } from '../engine/exhaustive-search.js'
import { fieldsInOrder } from '../engine/field-texts.js'
import { checkFieldCount } from '../engine/fixed-texts.js'
import { createWordTriggers, markFilled } from '../engine/word-triggers.js'
import { findGeneratedFields } from '../sql/find-generated-fields.js'
import { findTrigger } from '../sql/find-trigger.js'
import { columnNames } from './column-names.js'
import { createColumns, dropColumns } from './columns.js'
import { matchFunction } from './match.js'
import { createRowTrigger, rowTriggerName } from './row-trigger.js'
import { readColumnStats } from './stats.js'

const CAPABILITIES: ReadonlySet<SearchCapability> = new Set<SearchCapability>([
  'exactScores',
  'exactTotal',
  'beginnings',
  'anyWeight',
  'anyType',
  'rebuild',
  'partial',
])

/** Columns of the application's table. */
export const tsvectorEngine: SearchEngine = {
  name: 'tsvector',
  capabilities: CAPABILITIES,
  fills: false,
  maintains: false,
  check: checkFieldCount,
  async probe(db, table, definition, client) {
    const columns = [definition.key, ...fieldsInOrder(definition)]
    const [generated] = await db.query(findGeneratedFields(db.schema, table.oid, columns), client)
    if (generated === undefined) return undefined
    throw unsupported(
      'tsvector',
      `cannot index the generated column '${generated.name}', which has no value yet when its trigger runs`,
    )
  },
  create: (generation) => [
    ...createColumns(generation),
    ...createRowTrigger(generation),
    ...createWordTriggers(generation),
    matchFunction(generation),
    exhaustiveSearchFunction(generation),
    markFilled(generation),
  ],
  async isWhole(db, table, { schema, generation, definition }, client) {
    const { document, length } = columnNames(schema, definition.name, generation)
    if (![document, length].every((column) => Object.hasOwn(table.columns, column))) return false
    const trigger = rowTriggerName(schema, definition.name, generation)
    const [found] = await db.query(findTrigger(db.schema, table.oid, trigger), client)
    return found !== undefined
  },
  leave: dropColumns,
  stats: readColumnStats,
  // What is in the index is what is in the table, with which hits are joined.
  holds: () => 'true',
  ownColumns: ({ schema, generation, definition }) =>
    [generation, generation + 1].flatMap((one) =>
      Object.values(columnNames(schema, definition.name, one)),
    ),
}
