import { ident } from '@howdah/core'
import { callFor, documentFunction, lengthFunction } from '../engine/field-texts.js'
import { tableOf } from '../names.js'
import type { Generation } from '../native/generation.js'
import { columnNames } from './column-names.js'
import { rowTriggerName } from './row-trigger.js'

/** The same, quoted, of a generation. */
export function columnsOf({ schema, generation, definition }: Generation): {
  readonly document: string
  readonly length: string
} {
  const { document, length } = columnNames(schema, definition.name, generation)
  return { document: ident(document), length: ident(length) }
}

/**
 * Statements that add the document of each row and its length to the table, with an index on each: the words for finding, the lengths for their mean. A row without a
 * key has none.
 *
 * They begin as generated columns, which fill themselves while the table is rewritten, without any trigger of the application, and then become plain ones that
 * our trigger writes: PostgreSQL refuses a write that gives a generated column a value, such as `insert into t select * from json_populate_recordset(null::t, ...)`.
 */
export function createColumns(generation: Generation): string[] {
  const { definition, names } = generation
  const table = tableOf(definition)
  const { document, length } = columnsOf(generation)
  const generated = (name: string) => `generated always as (
      case when ${ident(definition.key)} is not null then ${callFor(definition, name)} end) stored`
  return [
    documentFunction(generation),
    lengthFunction(generation),
    `alter table ${table} add column ${document} tsvector ${generated(names.functions.document)},
      add column ${length} double precision ${generated(names.functions.length)}`,
    `alter table ${table} alter column ${document} drop expression, alter column ${length} drop expression`,
    // Without a pending list no search is slow because of the writes before it, and no write because it empties the list.
    `create index ${document} on ${table} using gin (${document}) with (fastupdate = off)`,
    `create index ${length} on ${table} (${length})`,
  ]
}

/** Statements that remove the columns, and their indexes with them, and the trigger. */
export function dropColumns(
  schema: string,
  index: string,
  generation: number,
  table: string,
): string[] {
  const { document, length } = columnNames(schema, index, generation)
  return [
    `drop trigger if exists ${ident(rowTriggerName(schema, index, generation))} on ${table}`,
    `alter table ${table} drop column if exists ${ident(document)}, drop column if exists ${ident(length)}`,
  ]
}
