import { literal } from '@howdah/core'

/** A table of no more bytes is counted; of a larger one PostgreSQL's estimate is taken. */
const COUNTED_BYTES = 8 * 1024 * 1024

/**
 * `search_figures` answers how the live generation of an index stands. It runs with the rights of its owner, so that who may read figures needs no right to what
 * they are figures of. All are null where the generation has no tables: another engine, or an index that is just being removed.
 */
export function figuresFunction(s: string): string {
  const table = (kind: string) => `${s}.search_${kind}_%1$s`
  const size = (...kinds: readonly string[]) =>
    kinds
      .map((kind) => `pg_total_relation_size(${literal(`${s}.search_${kind}_`)} || suffix)`)
      .join(' + ')
  return /* sql */ `create function ${s}.search_figures(
      _index int, _generation int,
      out documents bigint, out hot bigint, out segments int, out postings bigint, out words bigint,
      out document_bytes bigint, out posting_bytes bigint, out word_bytes bigint
    ) language plpgsql stable security definer set search_path = pg_catalog, pg_temp as ${literal(/* sql */ `
declare
  suffix text := _index || '_' || _generation;
begin
  if to_regclass(${literal(`${s}.search_tally_`)} || suffix) is null then
    return;
  end if;
  execute format(${literal(/* sql */ `
    select (select coalesce(sum(t.documents), 0) from ${table('tally')} t
        where t.at > coalesce((select max(c.below) from ${table('cleared')} c), 0)),
      (select count(*) from ${table('hot')}),
      (select count(*) from ${table('segment')} where state = 'ready'),
      (select case when c.reltuples < 0 or pg_relation_size(c.oid) < ${COUNTED_BYTES}
          then (select count(*) from ${table('posting')}) else c.reltuples end
       from pg_class c where c.oid = ${literal(table('posting'))}::regclass)`)}, suffix)
  into documents, hot, segments, postings;
  select count(*) into words from ${s}.search_word w where w.vocabulary in (
    select v.id from ${s}.search_vocabulary v
    join ${s}.search_generation g on g.vocabulary = v.index_id
    where g.index_id = _index and g.generation = _generation);
  document_bytes := ${size('document', 'hot')};
  posting_bytes := ${size('posting', 'buried', 'segment', 'gone', 'missed', 'tally', 'cleared')};
  -- All indexes share these tables; this is its share.
  select ((pg_total_relation_size(${literal(`${s}.search_word`)}) + pg_total_relation_size(${literal(`${s}.search_error_word`)}))
    * (words / greatest(c.reltuples, words, 1)::float8))::bigint
  into word_bytes from pg_class c where c.oid = ${literal(`${s}.search_word`)}::regclass;
exception when undefined_table or insufficient_privilege then
  -- Replaced or removed at this very moment, or another role's that does not share it.
  documents := null;
end`)}`
}
