import { literal } from '@howdah/core'
import { MANY } from '../../vocabulary/corrections.js'

/**
 * Letters at the beginning of a word of which deletes are made. More of them find fewer words that are not near, and take more space:
 * of 200,000 words 7 letters find a thousand and a half in 95 MB, 8 a hundred in 140 MB, 9 forty in 220 MB (PostgreSQL 18, search-vocabulary).
 */
const PREFIX = 8
/**
 * Shortest word of which two letters are deleted. Only a mistyped word of 8 letters may have two errors, and a shorter word becomes one of 8 by
 * additions, which leave one error at most that is a deletion from the word itself.
 */
const TWO_ERRORS_WORD = 8
/** A word of fewer letters is not found by its errors: too many words are near it. */
const SHORTEST = 3

/** Bytes of text for a word, about. */
const BYTES_A_WORD = 8
/** Places for hashes: with fewer of them the index is smaller, for it keeps many words of one hash in little, and finds more words that are not near. */
const HASHES = 2 ** 22

/** How the words are looked up: planned once, for a table of any size, since while it is small the planner would settle on reading all of it. */
const LOOK_UP =
  'set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off'

/**
 * Words with their errors, after SymSpell: two words are at most d edits apart only if at most d letters deleted from each make them
 * equal. So each word stands in a GIN index under the hashes of what is left of it after deletions, and the deletes of a
 * mistyped word find every word near it, and some that are not, which the caller tells apart by their distance. The vocabulary's number is
 * part of the hash, so that one index serves them all, and never finds another's words.
 *
 * - `search_deletes` answers the hashes for a word and a distance. The index is over the function, so that the hashes stand nowhere else.
 * - `search_look_up` asks the next two about a query's words and beginnings, in their order.
 * - `search_near` answers how many documents have a word, and unless they are many, the words that may be near it.
 * - `search_completions` answers the words that begin so, the most frequent first.
 * - `search_fold` adds up what writers noted. Writers only ever insert into the log, so they never wait for each other or for
 *   the fold; folds of one index take turns by an advisory lock, and one that finds it taken does nothing and answers null.
 *   A word is found by index, whatever the planner believes: without statistics it compares all words with all. A word is
 *   added with the row that has it and removed with it, in the same transactions, so the counts are exact but for what is still in the log.
 *   A log row without words or text says that everything before it is void: its transaction kept all others out of the table.
 *
 * @see Wolf Garbe, https://github.com/wolfgarbe/SymSpell
 */
export function vocabularyFunctions(s: string): string[] {
  // Places of the letters to delete, 0 for none: listed, for that takes half the time of generating them.
  const places = Array.from({ length: PREFIX + 1 }, (_, i) =>
    Array.from({ length: PREFIX + 1 }, (__, j) => [i, j] as const),
  )
    .flat()
    .filter(([i, j]) => j === 0 || (i > 0 && j > i))
  const rest = /* sql */ `case
    when i = 0 then stem
    when j = 0 then left(stem, i - 1) || substr(stem, i + 1)
    else left(stem, i - 1) || substr(stem, i + 1, j - i - 1) || substr(stem, j + 1)
  end`
  return [
    /* sql */ `create function ${s}.search_deletes(vocabulary int, word text, distance int) returns int[]
    language sql immutable strict parallel safe as ${literal(/* sql */ `
      select array_agg((hashtext((${rest}) collate "C") # hashint4(vocabulary)) & ${HASHES - 1})
      from (select left(word, ${PREFIX}) as stem, length(left(word, ${PREFIX})) as letters offset 0) beginning
      cross join (values ${places.map(([i, j]) => `(${i}, ${j})`).join(', ')}) place(i, j)
      where i <= letters and j <= letters
        and distance >= (i > 0)::int + (j > 0)::int`)}`,
    /* sql */ `create function ${s}.search_near(_vocabulary int, _word text, _distance int, out documents int, out near jsonb)
    language plpgsql stable as ${literal(/* sql */ `
begin
  select w.documents into documents from ${s}.search_word w where w.vocabulary = _vocabulary and w.word = _word;
  documents := coalesce(documents, 0);
  if documents < ${MANY} and _distance > 0 then
    select jsonb_agg(jsonb_build_array(w.word, w.documents)) into near
    from ${s}.search_error_word e join ${s}.search_word w on w.vocabulary = e.vocabulary and w.word = e.word
    where ${deletesOf(s, 'e.')} && ${s}.search_deletes(_vocabulary, _word, _distance)
      -- Not a condition for the primary key: it would find the whole vocabulary.
      and e.vocabulary + 0 = _vocabulary and e.word <> _word
      and length(e.word) between length(_word) - _distance and length(_word) + _distance;
  end if;
  near := coalesce(near, '[]');
end`)}`,
    /* sql */ `create function ${s}.search_completions(_vocabulary int, _prefix text, _limit int)
    returns table(word text, documents int) language plpgsql stable as ${literal(/* sql */ `
#variable_conflict use_column
declare
  last int := ascii(right(_prefix, 1));
begin
  return query
  select w.word, w.documents from ${s}.search_word w
  where w.vocabulary = _vocabulary and w.word >= _prefix
    -- The next character in the order of "C"; none follows the last, and surrogates are no characters.
    and w.word < left(_prefix, -1) || chr(case last when 55295 then 57344 when 1114111 then last else last + 1 end)
  order by w.documents desc, w.word limit _limit;
end`)}`,
    /* sql */ `create function ${s}.search_look_up(
      _index int, _tenant text, _words text[], _distances int[], _beginnings text[], _limit int, out words jsonb, out completions jsonb
    ) language plpgsql stable ${LOOK_UP} as ${literal(/* sql */ `
declare
  known int := coalesce((
    select v.id from ${s}.search_vocabulary v where v.index_id = _index and v.tenant = _tenant collate "C"), 0);
begin
  if cardinality(_words) > 0 then
    select jsonb_agg(jsonb_build_object('documents', f.documents, 'near', f.near) order by w.n) into words
    from unnest(_words, _distances) with ordinality as w(word, distance, n)
    cross join lateral ${s}.search_near(known, w.word, w.distance) f;
  end if;
  if cardinality(_beginnings) > 0 then
    select jsonb_agg((
      select coalesce(jsonb_agg(jsonb_build_array(c.word, c.documents)), '[]')
      from ${s}.search_completions(known, b.beginning, _limit) c) order by b.n) into completions
    from unnest(_beginnings) with ordinality as b(beginning, n);
  end if;
  words := coalesce(words, '[]');
  completions := coalesce(completions, '[]');
end`)}`,
    foldFunction(s),
  ]
}

/** The hashes that a word is found by, as the index has them. */
export function deletesOf(s: string, table = ''): string {
  return `${s}.search_deletes(${table}vocabulary, ${table}word, case when length(${table}word) < ${TWO_ERRORS_WORD} then 1 else 2 end)`
}

function foldFunction(s: string): string {
  return /* sql */ `create function ${s}.search_fold(_index int, _max int, _words int) returns int
    language plpgsql set search_path = pg_catalog, pg_temp set jit = off as ${literal(/* sql */ `
declare
  upto bigint;
  void bigint;
  folded int;
begin
  if not pg_try_advisory_xact_lock(hashtext(${literal(`${s}.search_fold`)}), _index) then return null; end if;
  select max(id) into upto
  from (select id, sum(size) over (order by id) - size as before
    from (select id, coalesce(cardinality(words), octet_length(text) / ${BYTES_A_WORD}, 0) as size from ${s}.search_word_log where index_id = _index order by id limit _max) oldest) counted
  where before < _words;
  if upto is null then return 0; end if;
  select max(id) into void from ${s}.search_word_log where index_id = _index and id <= upto and words is null and text is null;
  if void is not null then
    delete from ${s}.search_word_log where index_id = _index and id <= void;
    delete from ${s}.search_error_word where vocabulary in (select id from ${s}.search_vocabulary where index_id = _index);
    delete from ${s}.search_word where vocabulary in (select id from ${s}.search_vocabulary where index_id = _index);
  end if;
  insert into ${s}.search_vocabulary (index_id, tenant)
  select distinct index_id, tenant from ${s}.search_word_log where index_id = _index and id <= upto
  on conflict do nothing;
  with taken as (
    delete from ${s}.search_word_log where index_id = _index and id <= upto returning tenant, text, words, counts, sign
  ), changed as materialized (
    select v.id, n.word, sum(coalesce(n.count, t.sign))::int as count
    from taken t join ${s}.search_vocabulary v on v.index_id = _index and v.tenant = t.tenant
    cross join unnest(case when t.text is null then t.words else ${s}.search_lexemes(t.text) end, t.counts) as n(word, count)
    group by v.id, n.word having sum(coalesce(n.count, t.sign)) <> 0 and ${s}.search_is_word(n.word)
  ), known as materialized (
    select c.*, w.documents, w.place from changed c
    left join lateral (
      select w.documents, w.ctid as place from ${s}.search_word w where w.vocabulary = c.id and w.word = c.word limit 1) w on true
  ), gone as (
    delete from ${s}.search_word w
    where w.ctid = any (array(select k.place from known k where k.documents + k.count <= 0))
    returning w.vocabulary, w.word
  ), forgotten as (
    delete from ${s}.search_error_word e
    where e.ctid = any (array(
      select f.place from gone g cross join lateral (
        select e.ctid as place from ${s}.search_error_word e
        where e.vocabulary = g.vocabulary and e.word = g.word limit 1) f))
  ), counted as (
    insert into ${s}.search_word (vocabulary, word, documents)
    select k.id, k.word, coalesce(k.documents, 0) + k.count from known k where coalesce(k.documents, 0) + k.count > 0
    on conflict (vocabulary, word) do update set documents = excluded.documents
  ), learnt as (
    insert into ${s}.search_error_word (vocabulary, word)
    select k.id, k.word from known k where k.documents is null and k.count > 0 and length(k.word) >= ${SHORTEST}
  )
  select count(*) into folded from taken;
  -- Only its owner may; where others fold, autovacuum does it.
  perform gin_clean_pending_list(c.oid) from pg_class c
  where c.oid = ${literal(`${s}.search_error_word_deletes`)}::regclass and pg_has_role(c.relowner, 'usage');
  return folded + case when void is null then 0 else 1 end;
end`)}`
}
