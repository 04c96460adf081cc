import { ident, literal } from '@howdah/core'
import { configOf, indexedText, type Language } from '../language/language.js'
import { type IndexNames, TRIGGER_EVENTS, tableOf, triggerName } from '../names.js'
import type { Definition } from '../options.js'
import { countWords, type NotedTexts, noteWords, voidWords } from './note-words.js'

/**
 * Settings under which a value has one form as text, whoever writes it: the documents' keys are text.
 */
const CANONICAL = [
  `datestyle = 'ISO, YMD'`,
  `intervalstyle = 'postgres'`,
  `timezone = 'UTC'`,
  'extra_float_digits = 1',
  `bytea_output = 'hex'`,
]

const LENGTHS = ['length_a', 'length_b', 'length_c', 'length_d']
const SUMS = LENGTHS.map((length) => `coalesce(sum(${length}), 0) as ${length}`).join(', ')
const FOLD_ROWS = 1000

/** What a build works on. */
export interface Build {
  readonly schema: string
  readonly id: number
  readonly definition: Definition
  readonly names: IndexNames
  readonly language: Language
}

/**
 * Statements that make an index and fill it, for one transaction. The first keeps writers out of the table until the end, so that
 * no row is missed between filling and the first trigger; readers go on.
 */
export function buildIndex(build: Build): string[] {
  const { schema, definition, names } = build
  const table = tableOf(definition)
  return [
    `lock table ${table} in share row exclusive mode`,
    ...CANONICAL.map((setting) => `set local ${setting}`),
    `create table ${names.documents} (
      key text collate "C" primary key,
      document tsvector not null,
      ${LENGTHS.map((length) => `${length} int not null`).join(', ')},
      problem text
    )`,
    `create table ${names.statistics} (
      documents bigint not null,
      ${LENGTHS.map((length) => `${length} bigint not null`).join(', ')}
    )`,
    insertDocuments(build, rows(definition, table)),
    `insert into ${names.statistics} select count(*), ${SUMS} from ${names.documents}`,
    voidWords(schema, build.id),
    countWords(schema, noted(build, [[1, rows(definition, table)]])),
    `create index ${names.documentsIndex} on ${names.documents}
      using gin (document) with (fastupdate = off)`,
    `analyze ${names.documents}`,
    changedFunction(build),
    ...TRIGGER_EVENTS.map((event) => trigger(build, event)),
    `delete from ${schema}.search_error where index_id = ${build.id}`,
  ]
}

/** Statements that remove the tables of a generation. */
export function dropGeneration(names: IndexNames): string[] {
  return [`drop table if exists ${names.documents}, ${names.statistics}`]
}

/** Statements that remove an index from a table, for one transaction. */
export function dropTriggers(schema: string, index: string, table: string): string[] {
  return [
    // Taken at once: two transactions that both go from a weaker lock to this one would wait for each other.
    `lock table ${table} in access exclusive mode`,
    ...TRIGGER_EVENTS.map(
      (event) => `drop trigger if exists ${ident(triggerName(schema, index, event))} on ${table}`,
    ),
  ]
}

/** Keys and texts of the rows of a table or transition table. */
function rows(definition: Definition, from: string): string {
  const texts = ['a', 'b', 'c', 'd'].map((letter, at) => {
    const columns = definition.classes[at]?.columns.map((name) => `r.${ident(name)}::text`)
    const text = columns === undefined ? "''" : `concat_ws(E'\\n', ${columns.join(', ')})`
    return `${text} collate "C" as ${letter}`
  })
  const key = `r.${ident(definition.key)}`
  return `select ${key}::text collate "C" as key, ${texts.join(', ')} from ${from} r where ${key} is not null`
}

function insertDocuments({ schema, names, language }: Build, from: string): string {
  return `insert into ${names.documents} (key, document, ${LENGTHS.join(', ')}, problem)
    select fresh.key, made.document, ${LENGTHS.map((length) => `made.${length}`).join(', ')}, made.problem
    from (${from}) fresh
    cross join lateral ${schema}.search_document(
      ${configOf(language)}, ${['a', 'b', 'c', 'd'].map((letter) => indexedText(schema, language, `fresh.${letter}`)).join(', ')}) made`
}

function trigger({ schema, definition, names }: Build, event: (typeof TRIGGER_EVENTS)[number]) {
  const transitions = {
    insert: 'referencing new table as howdah_new',
    update: 'referencing old table as howdah_old new table as howdah_new',
    delete: 'referencing old table as howdah_old',
    truncate: '',
  }
  return `create or replace trigger ${ident(triggerName(schema, definition.name, event))}
    after ${event} on ${tableOf(definition)} ${transitions[event]}
    for each statement execute function ${names.changed}()`
}

/**
 * The triggers' function. It runs with the rights of the index's owner, for who writes the table need not know our schema,
 * and keeps every failure to itself, for a write of the application must not fail because of the index.
 *
 * The statistics are a log of differences that is summed up at each search: rows are only added, so writers never wait for
 * each other. Now and then a writer folds some rows into one.
 */
function changedFunction(build: Build): string {
  const { schema, id, definition, names } = build
  const fresh = rows(definition, 'howdah_new')
  const old = rows(definition, 'howdah_old')
  const changed = `(${fresh}) except (${old})`
  const body = `
declare
  minus record;
  plus record;
begin
  case tg_op
    when 'INSERT' then
      ${removeDocuments(names, fresh)};
      ${countInserted(build, fresh)};
      ${noteWords(schema, noted(build, [[1, fresh]]))};
    when 'UPDATE' then
      ${removeDocuments(names, `(${changed}) union all ((${old}) except (${fresh}))`)};
      ${countInserted(build, changed)};
      ${noteWords(
        schema,
        noted(build, [
          [1, changed],
          [-1, `(${old}) except (${fresh})`],
        ]),
      )};
    when 'DELETE' then
      ${removeDocuments(names, old)};
      ${countInserted(build, undefined)};
      ${noteWords(schema, noted(build, [[-1, old]]))};
    else
      ${removeDocuments(names, undefined)};
      ${countInserted(build, undefined)};
      ${voidWords(schema, id)};
  end case;
  if minus.documents <> 0 or plus.documents <> 0 then
    insert into ${names.statistics} values (plus.documents - minus.documents,
      ${LENGTHS.map((length) => `plus.${length} - minus.${length}`).join(', ')});
    if random() < 1.0 / 256 and current_setting('transaction_isolation') = 'read committed' then
      with folded as (
        delete from ${names.statistics} where ctid = any (array(
          select ctid from ${names.statistics} limit ${FOLD_ROWS} for update skip locked))
        returning *
      )
      insert into ${names.statistics}
      select sum(documents), ${SUMS} from folded having count(*) > 0;
    end if;
  end if;
  return null;
exception when others then
  begin
    insert into ${schema}.search_error (index_id, code, message)
    select ${id}, sqlstate, left(sqlerrm, 1000)
    where (select count(*) from (
      select from ${schema}.search_error where index_id = ${id} limit 100) known) < 100;
  exception when others then
    null;
  end;
  return null;
end`
  return `create or replace function ${names.changed}() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}
    as ${literal(body)}`
}

/** Documents whose words came or went. */
function noted(
  { id, language }: Build,
  documents: readonly (readonly [sign: 1 | -1, from: string])[],
): NotedTexts {
  const texts = documents.map(
    ([sign, from]) =>
      `select concat_ws(E'\\n', a, b, c, d) as text, ${sign} as sign, '' as tenant from (${from}) r`,
  )
  return { index: id, language, from: texts.join(' union all ') }
}

function removeDocuments(names: IndexNames, from: string | undefined): string {
  const which = from === undefined ? '' : `where key = any (array(select key from (${from}) old))`
  return `with removed as (delete from ${names.documents} ${which} returning *)
      select count(*) as documents, ${SUMS} into minus from removed`
}

function countInserted(build: Build, from: string | undefined): string {
  if (from === undefined) {
    return `select 0 as documents, ${LENGTHS.map((length) => `0 as ${length}`).join(', ')} into plus`
  }
  return `with added as (${insertDocuments(build, from)} returning *)
      select count(*) as documents, ${SUMS} into plus from added`
}
