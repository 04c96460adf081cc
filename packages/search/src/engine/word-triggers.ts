/**
 * Triggers that keep the vocabulary of an index whose documents are kept otherwise. As those of the native engine they only insert, and keep every failure
 * to themselves.
 */
import { ident, literal } from '@howdah/core'
import { TRIGGER_EVENTS, tableOf } from '../names.js'
import { notedTexts, rowTexts } from '../native/documents.js'
import { CANONICAL, type Generation } from '../native/generation.js'
import { createTrigger } from '../native/triggers.js'
import { countWords, noteWords, voidWords } from '../sql/note-words.js'
import { recordFailure } from '../sql/record-failure.js'

/** Statements that note the words of all rows, and have writers note theirs from then on. The table must be locked against writes. */
export function createWordTriggers(generation: Generation): string[] {
  const { schema, vocabulary, language, definition } = generation
  const rows = `(${rowTexts(generation, tableOf(definition))}) fresh`
  return [
    changedFunction(generation),
    ...TRIGGER_EVENTS.map((event) => createTrigger(generation, event)),
    countWords(schema, { index: vocabulary, language, from: notedTexts(generation, rows, 1) }),
  ]
}

/** Statement that notes in the registry that all rows are in. */
export function markFilled({ schema, id, generation, definition }: Generation): string {
  return `update ${schema}.search_generation set filled_at = now(), filled = (
      select count(*) from ${tableOf(definition)} r where r.${ident(definition.key)} is not null)
    where index_id = ${id} and generation = ${generation}`
}

function changedFunction(generation: Generation): string {
  const { schema, id, vocabulary, language, names } = generation
  const fresh = rowTexts(generation, 'howdah_new')
  const old = rowTexts(generation, 'howdah_old')
  const note = (from: string, sign: 1 | -1) =>
    noteWords(schema, {
      index: vocabulary,
      language,
      from: notedTexts(generation, `(${from}) changed`, sign),
    })
  const body = `
begin
  if tg_op = 'TRUNCATE' then
    ${voidWords(schema, vocabulary)};
  elsif tg_op = 'UPDATE' then
    ${note(`(${old}) except (${fresh})`, -1)};
    ${note(`(${fresh}) except (${old})`, 1)};
  elsif tg_op = 'DELETE' then
    ${note(old, -1)};
  else
    ${note(fresh, 1)};
  end if;
  return null;
exception when others then
  ${recordFailure(schema, id)}
  return null;
end`
  return `create function ${names.functions.changed}() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}
    as ${literal(body)}`
}
