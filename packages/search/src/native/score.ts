import { literal } from '@howdah/core'
import { countOfQuery, normOf } from './documents.js'
import { type Generation, K1 } from './generation.js'
import { weighedTenant } from './tenant.js'

/** Words whose part of the score is written out; those after them are summed up in a subquery, which takes longer for each document. */
const WRITTEN_OUT = 4

/** Declares what `living` uses, and `taken`: the numbers of documents that are in the way of a count. `weighed` sets them. */
export const LIVING_VARIABLES = `
  cleared bigint;
  stray bigint[];
  taken bigint[];
  missing boolean;`

/** Declares the same with their values, where no words are weighed. */
export function livingVariables({ names }: Generation): string {
  return `
  cleared bigint := coalesce((select max(below) from ${names.cleared}), 0);
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

/**
 * Variables that `weighed` sets: the segments in their order, by how much documents have become longer since, what the score of a document is
 * computed from, and whether a word has planes, has an array, and in how many rows of \`hot\` words are, taken together.
 */
export const SCORE_VARIABLES = `
  segments int[]; bases bigint[]; deads varbit[];
  drift double precision;
  documents double precision;
  mean double precision;
  idf double precision[];
  q tsquery[];
  dense boolean;
  sparse boolean;
  hot_found bigint;`

/**
 * Sets the variables for the words in \`terms\` and their \`weights\`, in two statements, for each has a cost of its own: how rare a word is in the
 * snapshot is what segments have of it, less what is dead there, less what writers have taken out since, and what they have added.
 */
export function weighed(generation: Generation): string {
  if (generation.definition.tenant !== undefined) return weighedTenant(generation)
  const { schema, names } = generation
  const { segment, posting, buried, hot, document, tally, gone, missed } = names
  return `select c.cleared, exists (select from ${missed}), array(select g.number from ${gone} g where g.number > c.cleared),
      t.documents, t.length / nullif(t.documents, 0), coalesce(s.segments, '{}'), s.bases, s.deads, s.built
    into cleared, missing, taken, documents, mean, segments, bases, deads, drift
    from (select coalesce(max(below), 0) as cleared from ${names.cleared}) c
    cross join lateral (
      select coalesce(sum(t.documents), 0) as documents, sum(t.length) as length from ${tally} t where t.at > c.cleared
    ) t
    cross join lateral (
      select array_agg(o.segment order by o.base) as segments, array_agg(o.base order by o.base) as bases,
        array_agg(o.dead order by o.base) as deads, min(o.mean) as built
      from ${segment} o where o.state = 'ready' and o.newest > c.cleared
    ) s;
  if missing then
    stray := array(select s.number from ${names.stray} s);
    taken := taken || stray;
    select documents - count(*), (mean * documents - coalesce(sum(d.length), 0)) / nullif(documents - count(*), 0)
    into documents, mean
    from (select number, length from ${document} union all select number, length from ${hot}) d
    where d.number = any (stray) and d.number > cleared;
  end if;
  documents := greatest(documents, 0);
  mean := coalesce(nullif(mean, 0), 1);
  drift := coalesce(greatest(1, mean / drift), 1);
  select coalesce(array_agg(f.query order by f.at), '{}'),
    coalesce(array_agg(f.weight * ln(1 + greatest(0, documents - f.found + 0.5) / (f.found + 0.5)) order by f.at), '{}'),
    coalesce(bool_or(f.dense), false), coalesce(bool_or(f.sparse), false), coalesce(sum(f.hot), 0)
  into q, idf, dense, sparse, hot_found
  from (
    select t.at, t.weight, t.query, p.dense, p.sparse, h.n as hot, (p.n + h.n
      - case when p.dead then coalesce((
          select sum(b.n) from unnest(segments) s(segment) cross join lateral (
            select b.n from ${buried} b where b.segment = s.segment and b.term = t.term limit 1) b), 0) else 0 end
      - case when taken = '{}' then 0 else (
          select count(*) from ${takenDocuments(generation)} where d.document @@ t.query) end
      )::double precision as found
    from (
      select t.term, t.weight, t.at, ${schema}.search_quote(t.term)::tsquery as query
      from unnest(terms, weights) with ordinality t(term, weight, at) offset 0
    ) t
    cross join lateral (
      select coalesce(sum(p.n), 0) as n, coalesce(bool_or(p.slots is null), false) as dense,
        coalesce(bool_or(p.slots is not null), false) as sparse, coalesce(bool_or(s.dead is not null), false) as dead
      from unnest(segments, deads) s(segment, dead)
      cross join lateral (
        select p.n, p.slots from ${posting} p where p.segment = s.segment and p.term = t.term limit 1) p
    ) p
    cross join lateral (
      select count(*) as n from ${hot} h where h.document @@ t.query and ${living(generation, 'h')}
    ) h
    offset 0
  ) f;`
}

/** How rare each word is, for what takes a score apart. */
export function weighFunction(generation: Generation): string {
  const { names } = generation
  const body = `
declare
  ${LIVING_VARIABLES}
  segments int[]; bases bigint[]; deads varbit[]; drift double precision;
  dense boolean; sparse boolean; hot_found bigint;
begin
  ${weighed(generation)}
end`
  return `create function ${names.functions.weigh}(
      terms text[], weights double precision[],
      out documents double precision, out mean double precision, out idf double precision[], out q tsquery[]
    ) language plpgsql stable as ${literal(body)}`
}

/**
 * The BM25 score of a document that has columns \`document\` and \`norm\`. Whether it has a word at all is asked first, which takes a quarter of
 * the time of counting the word.
 */
export function score({ definition }: Generation, alias: string): string {
  const part = (query: string, weight: string) =>
    `${weight} * ${K1 + 1} * (1 - ${alias}.norm / (${countOfQuery(definition, `${alias}.document`, query)} + ${alias}.norm))`
  const written = Array.from(
    { length: WRITTEN_OUT },
    (_, at) =>
      `case when cardinality(q) > ${at} and ${alias}.document @@ q[${at + 1}] then ${part(`q[${at + 1}]`, `idf[${at + 1}]`)} else 0 end`,
  )
  return `(${written.join(' + ')} + case when cardinality(q) > ${WRITTEN_OUT} then (
      select coalesce(sum(${part('one.query', 'one.weight')}), 0)
      from unnest(q[${WRITTEN_OUT + 1}:], idf[${WRITTEN_OUT + 1}:]) one(query, weight)
      where ${alias}.document @@ one.query) else 0 end)`
}

/** Columns that a score is computed from, of a table with documents. */
export function scored(alias: string): string {
  return `${alias}.key, ${alias}.document, ${normOf(`${alias}.length`)} as norm`
}

/**
 * Plans that suit the tables however large they are, whatever the statistics were when a connection made them: by index, from few
 * to many. Without statistics the planner prefers to scan what it believes to be empty.
 */
export const PLANS = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
      set plan_cache_mode = force_generic_plan set jit = off set max_parallel_workers_per_gather = 0`
