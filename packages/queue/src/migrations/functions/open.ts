import { ATTRIBUTES, lockQueue, nextSeq, wake } from '../fragments.js'

/** Settings of a queue that all its processes share, by their column in `queue`. */
export const SETTINGS = {
  attempts: 'smallint',
  max_crashes: 'smallint',
  backoff_ms: 'float8',
  backoff_max_ms: 'float8',
  max_payload_bytes: 'integer',
  keep_completed_ms: 'float8',
  keep_failed_ms: 'float8',
  keep_cancelled_ms: 'float8',
  concurrency: 'integer',
  group_concurrency: 'integer',
  rate_max: 'integer',
  rate_burst: 'integer',
  rate_per_ms: 'float8',
} as const

/**
 * `queue_open(name, settings)` answers the queue's number, making the queue if need be. Settings that are given replace those that were;
 * a queue whose settings are these already is only read.
 *
 * Jobs that wait for a place of their group go on by the new limit. Where a queue has no groups any more, none of its jobs has a place.
 */
export function openFunction(s: string): string {
  const names = Object.keys(SETTINGS)
  const given = (name: string) =>
    `(_settings ->> '${name}')::${SETTINGS[name as keyof typeof SETTINGS]}`
  return /* sql */ `create function ${s}.queue_open(_name text, _settings jsonb default '{}') returns integer
    ${ATTRIBUTES} as $body$
declare
  number integer;
  same boolean;
  places integer;
begin
  select q.id, ${names.map((name) => `(not _settings ? '${name}' or q.${name} is not distinct from ${given(name)})`).join(' and ')}
    into number, same from ${s}.queue q where q.name = _name;
  if number is null then
    insert into ${s}.queue (name) values (_name) on conflict do nothing;
    select q.id into number from ${s}.queue q where q.name = _name;
    same := _settings = '{}';
  end if;
  if not same then
    update ${s}.queue q set ${names.map((name) => `${name} = case when _settings ? '${name}' then ${given(name)} else q.${name} end`).join(',\n      ')}
    where q.id = number returning q.group_concurrency into places;
    if _settings ? 'group_concurrency' then
      ${lockQueue(s, 'number')};
      if places is null then
        with freed as (
          delete from ${s}.queue_parked p where p.queue = number returning p.*
        )
        insert into ${s}.queue_ready (seq, id, queue, rank, attempt, flags)
        select ${nextSeq(s)}, f.id, f.queue, f.rank, f.attempt, f.flags from freed f order by f.rank, f.seq;
        delete from ${s}.queue_group g where g.queue = number;
      else
        perform ${s}.queue_group_leave(number, w.grp, 0) from (
          select distinct p.grp from ${s}.queue_parked p where p.queue = number
        ) w;
      end if;
      ${wake(s, 'number')};
    end if;
  end if;
  return number;
end $body$`
}
