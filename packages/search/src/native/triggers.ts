import { ident, literal } from '@howdah/core'
import { TRIGGER_EVENTS, tableOf, triggerName } from '../names.js'
import { noteWords, voidWords } from '../sql/note-words.js'
import { recordFailure } from '../sql/record-failure.js'
import { documents, notedTexts, rowTexts } from './documents.js'
import { CANONICAL, type Generation } from './generation.js'
import { clearedOf } from './tables.js'
import { tallyByTenant } from './tenant.js'

/** Statements that make the triggers of a generation, and their function. */
export function createTriggers(generation: Generation): string[] {
  return [
    changedFunction(generation),
    ...TRIGGER_EVENTS.map((event) => createTrigger(generation, event)),
  ]
}

/**
 * Removes the triggers of a generation, with their function. Whoever was only granted TRIGGER on the table may not drop them otherwise; and wherever they are
 * now they are found: after a restore the table has another number than the registry knows. It takes the table's strongest lock.
 */
export function dropTriggers({ names }: Pick<Generation, 'names'>): string {
  return `drop function if exists ${names.functions.changed}() cascade`
}

/** Statement that makes one of the triggers, for the function `changed`. */
export function createTrigger(
  { schema, generation, definition, names }: Generation,
  event: (typeof TRIGGER_EVENTS)[number],
): string {
  const transitions = {
    insert: 'referencing new table as howdah_new',
    update: 'referencing old table as howdah_old new table as howdah_new',
    delete: 'referencing old table as howdah_old',
    truncate: '',
  }
  return `create trigger ${ident(triggerName(schema, definition.name, generation, event))}
    after ${event} on ${tableOf(definition)} ${transitions[event]}
    for each statement execute function ${names.functions.changed}()`
}

/**
 * The triggers' function. It runs with the rights of the index's owner, for who writes the table need not know our schema,
 * and keeps every failure to itself, for a write of the application must not fail because of the index.
 *
 * It only inserts, so that it waits for nobody and nobody for it. A row's document is found by its key in the snapshot of the
 * statement, which shows it: the row was written by the same transaction as its document.
 */
function changedFunction(generation: Generation): string {
  const { schema, id, names, definition } = generation
  const fresh = rowTexts(generation, 'howdah_new')
  const old = rowTexts(generation, 'howdah_old')
  const changed = `(${fresh}) except (${old})`
  const body = `
declare
  cleared bigint;
  minus record;
  plus record;
begin
  if tg_op = 'TRUNCATE' then
    insert into ${names.cleared} values (nextval(${literal(names.number)}));
    ${voidWords(schema, generation.vocabulary)};
    return null;
  end if;
  select 0::bigint as documents, 0::float8 as length, 0::bigint as newest into plus;
  select 0::bigint as documents, 0::float8 as length, 0::bigint as newest into minus;
  if tg_op = 'UPDATE' then
    cleared := ${clearedOf(generation)};
    ${remove(generation, `(${old}) except (${fresh})`)};
    ${add(generation, changed)};
  elsif tg_op = 'DELETE' then
    cleared := ${clearedOf(generation)};
    ${remove(generation, old)};
  else
    ${add(generation, fresh)};
  end if;
${
  definition.tenant !== undefined
    ? ''
    : `  if minus.documents <> 0 or plus.documents <> 0 then
    insert into ${names.tally} values (greatest(plus.newest, minus.newest),
      plus.documents - minus.documents, plus.length - minus.length);
  end if;`
}
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

/** Notes the numbers and the words of the documents that rows have; a row that has none yet is being filled in, perhaps from an older version. */
function remove(generation: Generation, from: string): string {
  const { schema, vocabulary, language, names, definition } = generation
  const found = [names.hot, names.document].map(
    (table) => `select d.number, d.key, d.length from ${table} d
      where d.key = any ((select array_agg(key) from old)::text[]) and d.number > cleared
        and not exists (select from ${names.gone} g where g.number = d.number)
        and not (d.filled and exists (select from ${names.missed} m where m.key = d.key))`,
  )
  const gone = `old where key in (
          select f.key from found f join marked m on m.number = f.number)`
  return `with old as materialized (select * from (${from}) o),
      found as materialized (${found.join(' union all ')}),
      marked as (
        insert into ${names.gone} select number from found on conflict do nothing returning number
      ), unknown as (
        insert into ${names.missed} select key from old where key not in (select key from found)
      ), noted as (
        ${noteWords(schema, { index: vocabulary, language, from: notedTexts(generation, gone, -1) })}
      )${
        definition.tenant === undefined
          ? ''
          : `, told as (
        ${tallyByTenant(generation, '(select f.number, f.length, o.tenant from found f join old o on o.key = f.key join marked m on m.number = f.number) f', '-')}
      )`
      }
      select count(*) as documents, coalesce(sum(length), 0) as length, coalesce(max(number), 0) as newest
      into minus from found where number in (select number from marked)`
}

function add(generation: Generation, from: string): string {
  const { schema, vocabulary, language, names, definition } = generation
  const insert = (form: 'fast' | 'safe') => `with fresh as materialized (${from}), added as (
        insert into ${names.hot} (number, key, document, length, filled, problem)
        select nextval(${literal(names.number)}), key, document, length, false, problem
        from (${documents(generation, 'select * from fresh', form)}) made
        returning number, length, key
      ), noted as (
        ${noteWords(schema, { index: vocabulary, language, from: notedTexts(generation, 'fresh', 1) })}
      )${
        definition.tenant === undefined
          ? ''
          : `, told as (
        ${tallyByTenant(generation, '(select a.number, a.length, f.tenant from added a join fresh f on f.key = a.key) f')}
      )`
      }
      select count(*) as documents, coalesce(sum(length), 0) as length, coalesce(max(number), 0) as newest
      into plus from added`
  return `begin
      ${insert('fast')};
    exception when others then
      ${insert('safe')};
    end`
}
