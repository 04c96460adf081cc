import { literal } from '@howdah/core'
import { ATTRIBUTES, SEPARATOR } from '../fragments.js'

const LONGEST_MS = 10_000 * 365.25 * 86_400_000
const OPTIONS = [
  'delay',
  'runAt',
  'priority',
  'attempts',
  'backoff',
  'expireAfter',
  'key',
  'group',
  'trace',
]
const KEY_TIMES = ['keepFor', 'throttle', 'debounce']

/** What a function says to psql's `\df+` and to the reference of the SQL API. */
function comment(s: string, signature: string, text: string): string {
  return /* sql */ `comment on function ${s}.${signature} is ${literal(text)}`
}

/**
 * The queue for triggers, psql and pg_cron: `enqueue` and `enqueue_many` take the options of `Queue.add` and check them as it does. What is wrong is
 * refused with SQLSTATE 22023 (invalid_parameter_value).
 */
export function enqueueFunctions(s: string): string[] {
  return [namedFunction(s), duration(s), spec(s), enqueue(s), enqueueMany(s), ...comments(s)]
}

/** A time in milliseconds, from a number of them or text such as `10m`. */
function duration(s: string): string {
  return /* sql */ `create function ${s}.queue_duration(_name text, _value jsonb, _min float8) returns float8
    ${ATTRIBUTES} immutable as $body$
declare
  parts text[];
  ms float8;
begin
  if jsonb_typeof(_value) = 'number' then
    ms := round(_value::numeric);
  elsif jsonb_typeof(_value) = 'string' then
    parts := regexp_match(_value #>> '{}', '^(\\d+(?:\\.\\d+)?)(ms|s|m|h|d)$');
    ms := round(parts[1]::numeric * case parts[2] when 'ms' then 1 when 's' then 1000 when 'm' then 60000 when 'h' then 3600000 else 86400000 end);
  end if;
  if ms is null or ms < _min or ms > ${LONGEST_MS} then
    raise invalid_parameter_value using message = format(
      '%s must be a number of milliseconds or text such as 250ms, 5s, 10m, 2h or 7d, and at least %s ms.', _name, _min);
  end if;
  return ms;
end $body$`
}

/** What `queue_add` takes, made of the options that people write. */
function spec(s: string): string {
  const refuse = (message: string, ...args: string[]) =>
    `raise invalid_parameter_value using message = ${args.length === 0 ? literal(message) : `format(${[literal(message), ...args].join(', ')})`}`
  const whole = (name: string, min: number, max: number) => /* sql */ `
  if _options ? '${name}' then
    if jsonb_typeof(_options -> '${name}') <> 'number' or (_options ->> '${name}')::numeric not between ${min} and ${max}
      or (_options ->> '${name}')::numeric % 1 <> 0 then
      ${refuse(`${name} must be a whole number from ${min} to ${max}.`)};
    end if;
    spec := spec || jsonb_build_object('${name}', (_options ->> '${name}')::numeric::integer);
  end if;`
  const time = (name: string, min: number) => /* sql */ `
  if _options ? '${name}' then
    spec := spec || jsonb_build_object('${name}', ${s}.queue_duration('${name}', _options -> '${name}', ${min}));
  end if;`
  const label = (from: string, name: string, what: string) => /* sql */ `
    if jsonb_typeof(${from} -> '${name}') is distinct from 'string' or length(${from} ->> '${name}') not between 1 and 500 then
      ${refuse(`${what} must be text of 1 to 500 characters.`)};
    end if;`
  return /* sql */ `create function ${s}.queue_spec(_options jsonb) returns jsonb
    ${ATTRIBUTES} as $body$
declare
  spec jsonb := '{}';
  key jsonb := _options -> 'key';
  name text;
begin
  if jsonb_typeof(_options) is distinct from 'object' then ${refuse('options must be a JSON object.')}; end if;
  select o into name from jsonb_object_keys(_options) as o where o <> all(array[${OPTIONS.map((o) => `'${o}'`).join(', ')}]) limit 1;
  if found then
    ${refuse(`There is no option %L. Options are ${OPTIONS.join(', ')}.`, 'name')};
  end if;
  -- null is as if not given.
  _options := jsonb_strip_nulls(_options);
  key := _options -> 'key';
  if _options ? 'delay' and _options ? 'runAt' then ${refuse('Give delay or runAt, not both.')}; end if;
  ${time('delay', 0)}
  if (spec ->> 'delay')::float8 = 0 then spec := spec - 'delay'; end if;
  ${time('backoff', 1)}
  ${time('expireAfter', 1)}
  ${whole('priority', -32_768, 32_767)}
  ${whole('attempts', 1, 1000)}
  if _options ? 'runAt' then
    begin
      spec := spec || jsonb_build_object('runAt', extract(epoch from (_options ->> 'runAt')::timestamptz) * 1000);
    exception when others then
      ${refuse('runAt must be a time, such as 2030-01-01T08:00:00Z.')};
    end;
    if _options ->> 'runAt' in ('infinity', '-infinity') then ${refuse('runAt must be a finite time.')}; end if;
  end if;
  if _options ? 'group' then ${label('_options', 'group', 'group')}
    spec := spec || jsonb_build_object('group', _options -> 'group');
  end if;
  if _options ? 'trace' then
    if _options #>> '{trace,traceparent}' !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' or not (_options -> 'trace') ? 'traceparent' then
      ${refuse('trace must be an object with a traceparent as W3C Trace Context has it.')};
    end if;
    spec := spec || jsonb_build_object('trace', concat_ws(E'\\n', _options #>> '{trace,traceparent}', _options #>> '{trace,tracestate}'));
  end if;
  if key is not null then
    if jsonb_typeof(key) = 'string' then key := jsonb_build_object('id', key); end if;
    if jsonb_typeof(key) <> 'object' then ${refuse('key must be text, or an object with an id.')}; end if;
    ${label('key', 'id', 'key')}
    select k into name from jsonb_object_keys(key) as k where k <> all(array['id', ${KEY_TIMES.map((k) => `'${k}'`).join(', ')}]) limit 1;
    if found then ${refuse(`A key has an id and one of ${KEY_TIMES.join(', ')}; there is no %L.`, 'name')}; end if;
    if (select count(*) from jsonb_object_keys(key)) > 2 then ${refuse(`Give a key one of ${KEY_TIMES.join(', ')}.`)}; end if;
    if key ? 'debounce' and (_options ? 'delay' or _options ? 'runAt') then
      ${refuse('A job that is debounced waits for that time: give it no delay or runAt.')};
    end if;
    select coalesce(jsonb_object_agg(k.key, case when k.key = 'id' then k.value else to_jsonb(${s}.queue_duration('key.' || k.key, k.value, 1)) end), '{}')
      into key from jsonb_each(key) as k;
    spec := spec || jsonb_build_object('key', key);
  end if;
  return nullif(spec, '{}');
end $body$`
}

function enqueue(s: string): string {
  return /* sql */ `create function ${s}.enqueue(queue text, payload json, options jsonb default '{}') returns bigint
    ${ATTRIBUTES} as $body$
declare
  number integer := ${s}.queue_named(queue, array[payload]);
begin
  return ${s}.queue_add(number, payload::text, ${s}.queue_spec(options));
end $body$`
}

function enqueueMany(s: string): string {
  return /* sql */ `create function ${s}.enqueue_many(queue text, payloads json, options jsonb default '{}') returns setof bigint
    ${ATTRIBUTES} as $body$
declare
  list json[];
  number integer;
begin
  if json_typeof(payloads) is distinct from 'array' then
    raise invalid_parameter_value using message = 'payloads must be a JSON array.';
  end if;
  list := array(select p from json_array_elements(payloads) as p);
  number := ${s}.queue_named(queue, list);
  if cardinality(list) = 0 then return; end if;
  return query select i::bigint
    from unnest(string_to_array(${s}.queue_add(number, array_to_string(list, ${literal(SEPARATOR)}), ${s}.queue_spec(options)), ',')) as i;
end $body$`
}

/** Finds or makes a queue for payloads that come from SQL, and refuses those that are too large for it. */
function namedFunction(s: string): string {
  return /* sql */ `create function ${s}.queue_named(_name text, _payloads json[]) returns integer
    ${ATTRIBUTES} as $body$
declare
  number integer;
  most integer;
  largest integer;
begin
  if _name is null or length(_name) not between 1 and 200 then
    raise invalid_parameter_value using message = 'A queue''s name must be text of 1 to 200 characters.';
  end if;
  if exists (select from unnest(_payloads) as p where p is null) then
    raise invalid_parameter_value using message = 'A payload must be JSON. Write ''null''::json for nothing to say.';
  end if;
  number := ${s}.queue_open(_name);
  select q.max_payload_bytes into most from ${s}.queue q where q.id = number;
  select max(octet_length(p::text)) into largest from unnest(_payloads) as p;
  if largest > most then
    raise invalid_parameter_value using message = format(
      'The payload is %s bytes and at most %s are queued. Store it in a table and queue its key.', largest, most);
  end if;
  return number;
end $body$`
}

function comments(s: string): string[] {
  const options =
    'Options are those of Queue.add: delay, runAt, priority, attempts, backoff, expireAfter, key, group, trace; times in milliseconds or as 10m.'
  return [
    comment(
      s,
      'enqueue(text, json, jsonb)',
      `Adds a job to a queue, with the transaction it is called in, and answers its id. ${options}`,
    ),
    comment(
      s,
      'enqueue_many(text, json, jsonb)',
      `Adds a job for each element of a JSON array and answers their ids in order. ${options}`,
    ),
    comment(
      s,
      'queue_cancel(bigint)',
      'Cancels a job and answers cancelled, cancelling (it runs, and its worker is told), ended or unknown.',
    ),
    comment(
      s,
      'queue_pause(integer, boolean)',
      'Stops (true) or resumes (false) claiming jobs of the queue with this number, in all processes.',
    ),
  ]
}
