import { literal } from '@howdah/core'
import { ATTRIBUTES, comment, LIGHT, SEPARATOR } from '../fragments.js'

/** How long an offset that an append relied on stays taken; a transaction that began earlier may have seen an older head. */
const CLAIM_KEPT = `interval '1 day'`

/**
 * `stream_append` adds rows and nothing else. `stream_append_checked` does so for messages with a key that must not come twice, or that rely on
 * the head of the stream. `append` is for triggers and psql.
 */
export function appendFunctions(s: string): string[] {
  return [plain(s), head(s), checked(s), append(s), ...comments(s)]
}

/** Rows `p(payload, key, headers, dedup, n)`. */
const INPUT = `unnest(string_to_array(_payloads, ${literal(SEPARATOR)}), _keys, _headers, _dedup) with ordinality as p(payload, key, headers, dedup, n)`

function plain(s: string): string {
  return /* sql */ `create function ${s}.stream_append(
    _streams integer[], _payloads text, _keys text[], _headers text[], out ids text) ${LIGHT} as $body$
begin
  if (select count(distinct i) from unnest(_streams) i) > (select count(*) from ${s}.stream t where t.id = any (_streams)) then
    raise no_data_found using message = 'A stream was dropped.';
  end if;
  with added as (
    insert into ${s}.stream_log (stream, key, headers, payload)
    select coalesce(p.stream, _streams[1]), p.key, p.headers::json, p.payload::json
    from unnest(string_to_array(_payloads, ${literal(SEPARATOR)}), _streams, _keys, _headers)
      with ordinality as p(payload, stream, key, headers, n)
    order by p.n
    returning id
  )
  select string_agg(a.id::text, ',' order by a.id) into ids from added a;
end $body$`
}

/** Offset of the last message the caller sees: those in order, and those that will be. */
function head(s: string): string {
  return /* sql */ `create function ${s}.stream_head(_stream integer) returns bigint ${ATTRIBUTES} stable as $body$
begin
  return (
    select coalesce((select g.last from ${s}.stream_segment g where g.stream = t.id order by g.first desc limit 1), t.floor - 1)
      + (select count(*) from ${s}.stream_unsequenced() u where u.stream = t.id)
    from ${s}.stream t where t.id = _stream
  );
end $body$`
}

/**
 * Answers the ids, in the order of the messages, that of the first append for a message that came before; which messages those were; and
 * the head where `_expected` is another, with nothing appended then.
 *
 * Who waits here waits for another append of the same key, or that relied on the same head, and for nothing else. A claim made in vain is taken
 * back, so that the transaction can go on.
 */
function checked(s: string): string {
  return /* sql */ `create function ${s}.stream_append_checked(
    _stream integer, _payloads text, _keys text[], _headers text[], _dedup text[], _expected bigint,
    out ids text, out duplicates text, out conflict bigint) ${ATTRIBUTES} as $body$
declare
  fresh bigint[];
begin
  if not exists (select from ${s}.stream t where t.id = _stream) then
    raise no_data_found using message = 'The stream was dropped.';
  end if;
  delete from ${s}.stream_dedup d where (d.stream, d.key) in (
    select e.stream, e.key from ${s}.stream_dedup e where e.expires_at <= statement_timestamp()
    order by e.expires_at limit 20 for update skip locked);
  with wanted as materialized (
    select distinct on (p.dedup) p.dedup, p.n from ${INPUT} where p.dedup is not null order by p.dedup, p.n
  ), claimed as (
    insert into ${s}.stream_dedup (stream, key, id, expires_at)
    select _stream, w.dedup, 0, clock_timestamp() + t.dedup_ms * interval '1 ms'
    from wanted w, ${s}.stream t where t.id = _stream order by w.dedup
    on conflict (stream, key) do update set id = 0, expires_at = excluded.expires_at
      where stream_dedup.expires_at <= statement_timestamp()
    returning key
  )
  select array_agg(p.n) into fresh from ${INPUT}
  where p.dedup is null or p.n in (select w.n from wanted w join claimed c on c.key = w.dedup);
  if _expected is not null and fresh is not null then
    conflict := nullif(${s}.stream_head(_stream), _expected);
    if conflict is null then
      delete from ${s}.stream_claim c where c.stream = _stream and c.at < statement_timestamp() - ${CLAIM_KEPT};
      insert into ${s}.stream_claim (stream, after) values (_stream, _expected) on conflict do nothing;
      if not found then
        conflict := ${s}.stream_head(_stream);
      else
        conflict := nullif(${s}.stream_head(_stream), _expected);
        if conflict is not null then
          delete from ${s}.stream_claim c where c.stream = _stream and c.after = _expected;
        end if;
      end if;
    end if;
    if conflict is not null then
      delete from ${s}.stream_dedup d where d.stream = _stream and d.id = 0 and d.key = any (_dedup);
      return;
    end if;
  end if;
  with added as (
    insert into ${s}.stream_log (stream, key, headers, payload)
    select _stream, p.key, p.headers::json, p.payload::json from ${INPUT} where p.n = any (fresh) order by p.n
    returning id
  ), placed as (
    select a.id, f.n, _dedup[f.n::integer] as dedup from (
      select a.id, row_number() over (order by a.id) as at from added a
    ) a join (
      select f.n, row_number() over (order by f.n) as at from unnest(fresh) f(n)
    ) f using (at)
  ), known as (
    update ${s}.stream_dedup d set id = p.id from placed p where d.stream = _stream and d.key = p.dedup
    returning d.key, d.id
  )
  select string_agg(coalesce(p.id, k.id, d.id)::text, ',' order by i.n), string_agg(i.n::text, ',' order by i.n) filter (where p.id is null)
    into ids, duplicates
  from unnest(string_to_array(_payloads, ${literal(SEPARATOR)}), _dedup) with ordinality as i(payload, dedup, n)
  left join placed p on p.n = i.n
  left join known k on p.id is null and k.key = i.dedup
  left join ${s}.stream_dedup d on p.id is null and d.stream = _stream and d.key = i.dedup;
end $body$`
}

function append(s: string): string {
  return /* sql */ `create function ${s}.append(
    stream text, payload jsonb, key text default null, headers jsonb default null, dedup_key text default null) returns bigint
    ${LIGHT} as $body$
declare
  number integer;
  added bigint;
begin
  if append.stream is null or append.stream = '' or length(append.stream) > 500 then
    raise invalid_parameter_value using message = 'The name of a stream must be text of 1 to 500 characters.';
  end if;
  if append.payload is null then
    raise invalid_parameter_value using message = 'The payload must be JSON; say nothing as ''null''::jsonb.';
  end if;
  if dedup_key is null then
    select t.id into number from ${s}.stream t where t.name = append.stream;
    insert into ${s}.stream_log (stream, name, key, headers, payload)
    values (number, case when number is null then append.stream end, append.key, append.headers::json, append.payload::json)
    returning stream_log.id into added;
    return added;
  end if;
  number := ${s}.stream_open(append.stream);
  return (select c.ids::bigint from ${s}.stream_append_checked(
    number, append.payload::text, array[append.key], array[append.headers::text], array[dedup_key], null) c);
end $body$`
}

function comments(s: string): string[] {
  return [
    comment(
      s,
      'append(text, jsonb, text, jsonb, text)',
      'Appends a message to a stream with the transaction it is called in, and answers its id: that of the first one where the dedup_key was appended before.',
    ),
  ]
}
