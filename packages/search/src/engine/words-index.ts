/**
 * What the engines over an extension's index have in common. The index is on the words of each row, as text; the extension finds rows that have any of some
 * words, and ranks them. Whatever else a query says is checked on the rows that were found, by making their documents.
 */
import { ident, literal } from '@howdah/core'
import { nameOnTable, tableOf } from '../names.js'
import { CANONICAL, type Generation } from '../native/generation.js'
import { MATCH, NAMES, SEARCH } from '../native/match.js'
import { PLANS } from '../native/score.js'
import { callFor, documentFunction, encoded, wordsFunction } from './field-texts.js'
import { createWordTriggers, markFilled } from './word-triggers.js'

/** What an extension does about it; each is SQL. */
export interface WordsIndex {
  /** Statement that makes the index. */
  readonly create: string
  /** Statements of a function that returns `key` and `score` of the best `k` rows with any of the words `given`, encoded. */
  readonly find: string
  /** Statement that sets `total` to how many rows have any of the words `given`. */
  readonly count: string
  /** How many rows are looked at most where more is asked than any of some words. */
  readonly most: number
}

/** Quoted name of the index, which is in the schema of its table. */
export function indexName(schema: string, index: string, generation: number): string {
  return ident(nameOnTable(schema, index, generation, 'words'))
}

/** The expression that is indexed, for the table as `r` or as itself. */
export function wordsOf({ definition, names }: Generation, alias?: string): string {
  return callFor(definition, names.functions.words, alias)
}

/** Statements that make a generation. */
export function createWordsIndex(generation: Generation, index: WordsIndex): string[] {
  return [
    documentFunction(generation),
    wordsFunction(generation),
    // Taken at once, for writers must not come between the index and the triggers.
    `lock table ${tableOf(generation.definition)} in share row exclusive mode`,
    index.create,
    ...createWordTriggers(generation),
    findFunction(generation, index),
    matchFunction(generation, index),
    searchFunction(generation, index),
    markFilled(generation),
  ]
}

/** Statements that take from a table what a generation has put on it. */
export function leaveTable(
  schema: string,
  index: string,
  generation: number,
  table: string,
): string[] {
  const name = nameOnTable(schema, index, generation, 'words')
  const body = `
declare
  one record;
begin
  for one in select i.indexrelid::regclass as index from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = ${literal(table)}::regclass and c.relname = ${literal(name)}
  loop
    execute format('drop index %s', one.index);
  end loop;
end`
  return [`do ${literal(body)}`]
}

/** No sort, so that rows come as the index has them, with their scores. */
const FIND = 'set enable_sort = off'
const SETTINGS = `${PLANS} ${CANONICAL.map((setting) => `set ${setting}`).join(' ')}`

function findFunction({ names }: Generation, { find }: WordsIndex): string {
  return `create function ${names.functions.find}(given text[], k int)
    returns table (key text, score double precision)
    language plpgsql stable ${SETTINGS} ${FIND} as ${literal(find)}`
}

/** The words that a query ranks by, encoded. */
const GIVEN = `array(select distinct ${encoded('one')} from unnest(terms || seeks) one)`

function matchFunction({ definition, names, keyType }: Generation, { most }: WordsIndex): string {
  const table = tableOf(definition)
  const key = `r.${ident(definition.key)}`
  const document = callFor(definition, names.functions.document, 'r')
  const body = `
declare
  given text[] := ${GIVEN};
begin
  if wanted is null then
    return;
  end if;
  if need = 0 and cardinality(stems) > 0 then
    -- What begins so has to be left out, all of it, and the index cannot tell.
    return query select ${key}::text collate "C", 0::double precision from ${table} r
      where ${key} is not null and ${document} @@ wanted;
    return;
  end if;
  if given = '{}' then
    return;
  end if;
  return query
  select f.key, f.score from ${names.functions.find}(given, ${most}) f
  join ${table} r on ${key} = f.key::${keyType}
  where simple and need <= 1 or exists (
    select from (select ${document} as document offset 0) d
    where d.document @@ wanted and (unwanted is null or not d.document @@ unwanted)
      and (cardinality(counted) = 0 or need <= (select count(*) from unnest(counted) one where d.document @@ one)));
end`
  return `create function ${names.functions.match}(${MATCH})
    returns table (key text, score double precision)
    language plpgsql stable ${SETTINGS} as ${literal(body)}`
}

function searchFunction({ names }: Generation, { count }: WordsIndex): string {
  const ordered = 'order by f.score desc, f.key'
  const body = `
declare
  given text[] := ${GIVEN};
begin
  if wanted is not null and simple and need <= 1 then
    -- In the order of the extension, for among equal scores its best k are those that come first in it.
    select array_agg(f.key order by f.place), array_agg(f.score order by f.place) into keys, scores
    from ${names.functions.find}(given, k) with ordinality f(key, score, place);
    ${count};
    return;
  end if;
  with found as materialized (
    select m.key, m.score from ${names.functions.match}(${NAMES}, null, null) m
  ), best as (
    select f.key, f.score from found f ${ordered} limit k
  )
  select (select array_agg(f.key ${ordered}) from best f), (select array_agg(f.score ${ordered}) from best f),
    (select count(*) from found)
  into keys, scores, total;
end`
  return `create function ${names.functions.search}(${SEARCH},
      out keys text[], out scores double precision[], out total bigint
    ) language plpgsql stable ${SETTINGS} as ${literal(body)}`
}
