import { ATTRIBUTES } from '../fragments.js'

/** Settings of a stream that all its processes share, by their column. */
const SETTINGS = {
  max_age_ms: 'float8',
  max_bytes: 'bigint',
  max_messages: 'bigint',
  dedup_ms: 'float8',
} as const

/**
 * `stream_open(name, settings)` answers the stream's number, making the stream if need be. Settings that are given replace those that
 * were; a stream whose settings are these already is only read.
 */
export function openFunctions(s: string): string[] {
  const names = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]
  const given = (name: keyof typeof SETTINGS) => `(_settings ->> '${name}')::${SETTINGS[name]}`
  return [
    /* sql */ `create function ${s}.stream_open(_name text, _settings jsonb default '{}') returns integer
    ${ATTRIBUTES} as $body$
declare
  number integer;
  same boolean;
begin
  select t.id, ${names.map((name) => `(not _settings ? '${name}' or t.${name} is not distinct from ${given(name)})`).join(' and ')}
    into number, same from ${s}.stream t where t.name = _name;
  if number is null then
    insert into ${s}.stream (name) values (_name) on conflict do nothing;
    select t.id into number from ${s}.stream t where t.name = _name;
    same := _settings = '{}';
  end if;
  if not same then
    update ${s}.stream t set ${names.map((name) => `${name} = case when _settings ? '${name}' then ${given(name)} else t.${name} end`).join(',\n      ')}
    where t.id = number;
  end if;
  return number;
end $body$`,
  ]
}
