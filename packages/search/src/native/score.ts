import { literal } from '@howdah/core'
import { countOfQuery, normOf } from './documents.js'
import { type Generation, K1 } from './generation.js'
import { clearedOf } from './tables.js'

/** Words whose part of the score is written out; those after them are summed up in a subquery, which takes longer for each document. */
const WRITTEN_OUT = 4

/** Declares what `living` uses, and `taken`: the numbers of documents that are in the way of a count. */
export function livingVariables({ names }: Generation): string {
  return `
  cleared bigint := ${clearedOf({ names })};
  stray bigint[] := case when exists (select from ${names.missed}) then array(select s.number from ${names.stray} s) end;
  taken bigint[] := array(select g.number from ${names.gone} g where g.number > cleared) || stray;`
}

/** Whether a row of `hot` or `document` is in the index. The looks at what is gone are spared where nothing is. */
export function living({ names }: Generation, alias: string): string {
  return `(cleared = 0 or ${alias}.number > cleared) and (taken = '{}'
        or not exists (select from ${names.gone} g where g.number = ${alias}.number))
        and (stray is null or ${alias}.number <> all (stray))`
}

/** Documents of segments that are in the way of a count, as \`d\`. A limit keeps the planner from any other way than by index. */
export function takenDocuments({ names }: Generation): string {
  return `unnest(taken) one(number) cross join lateral (
          select * from ${names.document} d where d.number = one.number limit 1) d`
}

/** The posting of a word \`t.term\` in a segment \`s.segment\`, as \`p\`. */
export function postingOf(table: string): string {
  return `cross join lateral (
          select * from ${table} p where p.segment = s.segment and p.term = t.term limit 1) p`
}

/** Variables that the score of a document is computed from; `weighed` sets them. */
export const SCORE_VARIABLES = `
  documents double precision;
  mean double precision;
  idf double precision[];
  q tsquery[];
  dense boolean;
  sparse boolean;`

/** Sets the variables of the score, for the words in \`terms\` and their \`weights\`. */
export function weighed({ names, definition }: Generation): string {
  const asked = definition.tenant === undefined ? 'terms, weights' : 'terms, weights, whose, own'
  return `select w.documents, w.mean, w.idf, w.q, w.dense, w.sparse into documents, mean, idf, q, dense, sparse
    from ${names.functions.weigh}(${asked}) w;`
}

/** The BM25 score of a document that has columns \`document\` and \`norm\`. */
export function score({ definition }: Generation, alias: string): string {
  const part = (query: string, weight: string) =>
    `${weight} * ${K1 + 1} * (1 - ${alias}.norm / (${countOfQuery(definition, `${alias}.document`, query)} + ${alias}.norm))`
  const written = Array.from(
    { length: WRITTEN_OUT },
    (_, at) =>
      `case when cardinality(q) > ${at} then ${part(`q[${at + 1}]`, `idf[${at + 1}]`)} else 0 end`,
  )
  return `(${written.join(' + ')} + case when cardinality(q) > ${WRITTEN_OUT} then (
      select coalesce(sum(${part('one.query', 'one.weight')}), 0)
      from unnest(q[${WRITTEN_OUT + 1}:], idf[${WRITTEN_OUT + 1}:]) one(query, weight)) else 0 end)`
}

/** Columns that a score is computed from, of a table with documents. */
export function scored(alias: string): string {
  return `${alias}.key, ${alias}.document, ${normOf(`${alias}.length`)} as norm`
}

/**
 * How rare each word is in the snapshot of the caller: what segments have of it, less what is dead there, less what writers have taken out
 * since, and what they have added.
 */
export function weighFunction(generation: Generation): string {
  const { schema, names } = generation
  const { segment, posting, buried, hot, document, tally } = names
  const inSegments = (table: string) => `coalesce((
        select sum(p.n) from unnest(segments) s(segment)
        ${postingOf(table)}), 0)`
  const body = `
declare
  ${livingVariables(generation)}
  total double precision;
  segments int[];
begin
  select sum(t.documents), sum(t.length) into documents, total from ${tally} t where t.at > cleared;
  if stray is not null then
    select documents - count(*), total - coalesce(sum(d.length), 0) into documents, total
    from (select number, length from ${document} union all select number, length from ${hot}) d
    where d.number = any (stray) and d.number > cleared;
  end if;
  documents := greatest(coalesce(documents, 0), 0);
  mean := coalesce(nullif(total, 0) / nullif(documents, 0), 1);
  q := array(
    select ${schema}.search_quote(t.term)::tsquery from unnest(terms) with ordinality t(term, at) order by t.at);
  segments := array(select s.segment from ${segment} s where s.state = 'ready' and s.newest > cleared);
  select array_agg(t.weight * ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) order by t.at),
    bool_or(f.dense), bool_or(f.sparse)
  into idf, dense, sparse
    from unnest(terms, weights, q) with ordinality t(term, weight, query, at)
    cross join lateral (
      select p.dense, p.sparse, (p.n - ${inSegments(buried)} + (
          select count(*) from ${hot} h where h.document @@ t.query and ${living(generation, 'h')}
        ) - (
          select count(*) from ${takenDocuments(generation)} where d.document @@ t.query
        ))::double precision as found
      from (
        select coalesce(sum(p.n), 0) as n, coalesce(bool_or(p.slots is null), false) as dense,
          coalesce(bool_or(p.slots is not null), false) as sparse
        from unnest(segments) s(segment) ${postingOf(posting)}
      ) p
    ) f;
  idf := coalesce(idf, '{}');
end`
  return `create function ${names.functions.weigh}(
      terms text[], weights double precision[],
      out documents double precision, out mean double precision, out idf double precision[], out q tsquery[],
      out dense boolean, out sparse boolean
    ) language plpgsql stable as ${literal(body)}`
}

/**
 * Plans that suit the tables however large they are, whatever the statistics were when a connection made them: by index, from few
 * to many. Without statistics the planner prefers to scan what it believes to be empty.
 */
export const PLANS = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
      set plan_cache_mode = force_generic_plan set jit = off set max_parallel_workers_per_gather = 0`
