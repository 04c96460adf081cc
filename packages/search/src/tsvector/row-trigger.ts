import { ident, literal } from '@howdah/core'
import {
  callFor,
  classTexts,
  documentOf,
  fieldsInOrder,
  lengthOf,
  vectorsOf,
} from '../engine/field-texts.js'
import { nameOnTable, tableOf } from '../names.js'
import { CANONICAL, type Generation } from '../native/generation.js'
import { recordFailure } from '../sql/record-failure.js'
import { columnNames } from './column-names.js'

/** Names the trigger. Those before a write come in the order of their names, and ours is to see what the application's make of the row. */
export function rowTriggerName(schema: string, index: string, generation: number): string {
  return `~${nameOnTable(schema, index, generation, 'row')}`
}

/**
 * Statements that make the trigger that writes the columns of a row before the row is written, whatever the application gave them, and its function. It keeps every failure
 * to itself; a text that does not fit goes through the functions that take a part of it.
 */
export function createRowTrigger(generation: Generation): string[] {
  const { schema, id, definition, names } = generation
  const own = columnNames(schema, definition.name, generation.generation)
  const [document, length] = [`new.${ident(own.document)}`, `new.${ident(own.length)}`]
  const vectors = vectorsOf(
    generation,
    classTexts(generation, (field) => `new.${ident(field)}`),
  )
  const variables = vectors.map((_, at) => `v${at}`)
  const same = [definition.key, ...fieldsInOrder(definition)]
    .map((field) => `old.${ident(field)}::text is not distinct from new.${ident(field)}::text`)
    .join(' and ')
  const call = (name: string) => callFor(definition, name, 'new')
  const body = `
declare
  ${variables.map((variable) => `${variable} tsvector;`).join(' ')}
begin
  if tg_op = 'UPDATE' then
    if ${same} then
      ${document} := old.${ident(own.document)};
      ${length} := old.${ident(own.length)};
      return new;
    end if;
  end if;
  if new.${ident(definition.key)} is null then
    ${document} := null;
    ${length} := null;
    return new;
  end if;
  ${variables.map((variable, at) => `${variable} := ${vectors[at]};`).join('\n  ')}
  ${document} := ${documentOf(variables)};
  ${length} := ${lengthOf(definition, variables)};
  return new;
exception when others then
  begin
    ${document} := ${call(names.functions.document)};
    ${length} := ${call(names.functions.length)};
  exception when others then
    ${recordFailure(schema, id)}
  end;
  return new;
end`
  return [
    `create function ${names.functions.row}() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}
    as ${literal(body)}`,
    `create trigger ${ident(rowTriggerName(schema, definition.name, generation.generation))}
    before insert or update on ${tableOf(definition)}
    for each row execute function ${names.functions.row}()`,
  ]
}
