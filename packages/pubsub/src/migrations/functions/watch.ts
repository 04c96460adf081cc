/**
 * Installing, removing and describing watches.
 *
 * A watch is known by its stream. What there is of it is one trigger function in our schema, whose comment holds the options, and its triggers on one
 * table: nothing else is stored, so that it goes with the table, and into a dump.
 *
 * Whoever installs it owns the function, which runs with his rights.
 */
import { literal } from '@howdah/core'
import { ATTRIBUTES, comment } from '../fragments.js'

const EVENTS = {
  insert: 'referencing new table as howdah_new',
  update: 'referencing old table as howdah_old new table as howdah_new',
  delete: 'referencing old table as howdah_old',
  truncate: '',
} as const

/** Settings that how values read as text depends on: those of the writer must not matter. */
const SETTINGS = `set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set datestyle = ''ISO'' set intervalstyle = ''iso_8601'' set bytea_output = ''hex'' set extra_float_digits = 1`

/** Arguments that describe a watch. */
const ARGUMENTS = `_stream text, _columns text[] default null, _where text default null, _diff boolean default false, _old boolean default false`

export function watchFunctions(s: string): string[] {
  return [
    names(s),
    check(s),
    options(s),
    install(s),
    remove(s),
    state(s),
    snapshot(s),
    ...comments(s),
  ]
}

/** Names of what belongs to a watch: the function, without the schema, and the start of those of its triggers. They differ between schemas. */
function names(s: string): string {
  return /* sql */ `create function ${s}.watch_names(_stream text, out function_name text, out trigger_name text, out setting text)
    ${ATTRIBUTES} stable as $body$
declare
  digest text := left(encode(sha256(convert_to(${literal(s)} || ' ' || _stream, 'UTF8')), 'hex'), 16);
begin
  function_name := 'watch_' || digest;
  trigger_name := 'howdah_watch_' || digest;
  setting := 'howdah.watch_' || digest;
end $body$`
}

/** Raises what stands in the way of watching the table so. */
function check(s: string): string {
  const refuse = (state: string, text: string, ...args: string[]) =>
    `raise ${state} using message = format(${[literal(text), ...args].join(', ')})`
  return /* sql */ `create function ${s}.watch_check(_table regclass, _columns text[], _where text) returns void
    ${ATTRIBUTES} as $body$
declare
  found pg_class;
  missing text;
begin
  select * into found from pg_class c where c.oid = _table;
  if found.oid is null then
    ${refuse('undefined_table', 'There is no such table.')};
  end if;
  if found.relkind not in ('r', 'p') or found.relpersistence = 't' or found.relispartition then
    ${refuse('wrong_object_type', '%s cannot be watched, for it is %s. Watch %s.', '_table', `case when found.relispartition then 'a partition' when found.relpersistence = 't' then 'temporary' else 'not a table' end`, `case when found.relispartition then 'the partitioned table' else 'a permanent table' end`)};
  end if;
  if exists (
    with recursive below as (
      select i.inhrelid from pg_inherits i where i.inhparent = _table
      union select i.inhrelid from pg_inherits i join below b on i.inhparent = b.inhrelid
    ) select from below b join pg_class c on c.oid = b.inhrelid where c.relkind = 'f'
  ) then
    ${refuse('wrong_object_type', '%s cannot be watched, for parts of it are foreign tables, whose changes PostgreSQL does not hand to triggers.', '_table')};
  end if;
  if not pg_has_role(found.relowner, 'usage') then
    ${refuse('insufficient_privilege', 'The table %s must be watched by its owner, for its triggers belong to it. Install the watch as %s.', '_table', 'found.relowner::regrole')};
  end if;
  perform ${s}.watch_key(_table);
  select w.name into missing from unnest(_columns) w(name)
  where not exists (select from ${s}.watch_columns(_table) c where c.name = w.name) limit 1;
  if missing is not null then
    ${refuse('undefined_column', 'The table %s has no column %I that could be watched. Correct the columns, or add it.', '_table', 'missing')};
  end if;
  if _where is not null then
    begin
      execute format(E'select from (select %1$s from %2$s t) as %3$I where (%4$s\\n)::boolean limit 0',
        (select string_agg(format('t.%I', c.name), ', ') from ${s}.watch_columns(_table) c), _table, found.relname, _where);
    exception when others then
      ${refuse('invalid_parameter_value', 'The condition is none over the columns of %s: %s. Name functions and operators that are not of pg_catalog with their schema.', '_table', 'sqlerrm')};
    end;
  end if;
end $body$`
}

/** The options as they are kept in the function's comment, for comparing. */
function options(s: string): string {
  return /* sql */ `create function ${s}.watch_options(${ARGUMENTS}) returns text ${ATTRIBUTES} stable as $body$
begin
  return 'Howdah watch ' || jsonb_build_object('stream', _stream, 'columns', to_jsonb(_columns), 'where', _where, 'diff', _diff, 'old', _old)::text;
end $body$`
}

function install(s: string): string {
  return /* sql */ `create function ${s}.watch_install(_table regclass, ${ARGUMENTS}) returns void ${ATTRIBUTES} as $body$
declare
  names record;
  number integer;
  signature text;
  source text;
  other record;
begin
  perform ${s}.watch_check(_table, _columns, _where);
  select * into names from ${s}.watch_names(_stream);
  perform pg_advisory_xact_lock(hashtextextended(names.trigger_name, 0));
  number := ${s}.stream_open(_stream);
  signature := format(${literal(`${s.replaceAll('%', '%%')}.%I()`)}, names.function_name);
  source := ${s}.watch_source(_table, number, names.setting, _columns, _where, _diff, _old);
  if not exists (
    select from pg_proc p where p.oid = to_regprocedure(signature) and p.prosrc = source
  ) then
    execute format('create or replace function %s returns trigger language plpgsql security definer ${SETTINGS} as %L', signature, source);
    execute format('revoke all on function %s from public', signature);
  end if;
  execute format('comment on function %s is %L', signature, ${s}.watch_options(_stream, _columns, _where, _diff, _old));
  for other in select t.tgname, t.tgrelid from pg_trigger t where t.tgfoid = signature::regprocedure and t.tgrelid <> _table loop
    execute format('drop trigger %I on %s', other.tgname, other.tgrelid::regclass);
  end loop;
${Object.entries(EVENTS)
  .map(
    ([event, referencing]) => `  if not exists (
    select from pg_trigger t where t.tgrelid = _table and t.tgfoid = signature::regprocedure and t.tgname = names.trigger_name || '_${event}' and t.tgenabled <> 'D'
  ) then
    execute format('create or replace trigger %I after ${event} on %s ${referencing} for each statement execute function %s', names.trigger_name || '_${event}', _table, signature);
    execute format('alter table %s enable trigger %I', _table, names.trigger_name || '_${event}');
  end if;
`,
  )
  .join('')}end $body$`
}

function remove(s: string): string {
  return /* sql */ `create function ${s}.watch_remove(_stream text) returns void ${ATTRIBUTES} as $body$
declare
  names record;
  found regprocedure;
  gone record;
begin
  select * into names from ${s}.watch_names(_stream);
  perform pg_advisory_xact_lock(hashtextextended(names.trigger_name, 0));
  found := to_regprocedure(format(${literal(`${s.replaceAll('%', '%%')}.%I()`)}, names.function_name));
  if found is null then return; end if;
  for gone in select t.tgname, t.tgrelid from pg_trigger t where t.tgfoid = found loop
    execute format('drop trigger %I on %s', gone.tgname, gone.tgrelid::regclass);
  end loop;
  execute format('drop function %s', found);
end $body$`
}

/**
 * How a watch stands: \`absent\`; \`installed\`, as asked; \`changed\`, with other options, on another table, or with triggers missing; \`outdated\`, as asked, but for
 * another shape of the table, so that it works more slowly. And the table it is on.
 */
function state(s: string): string {
  return /* sql */ `create function ${s}.watch_state(_table regclass, ${ARGUMENTS}, out state text, out watched oid)
    ${ATTRIBUTES} stable as $body$
declare
  names record;
  found regprocedure;
  source text;
begin
  select * into names from ${s}.watch_names(_stream);
  found := to_regprocedure(format(${literal(`${s.replaceAll('%', '%%')}.%I()`)}, names.function_name));
  state := 'absent';
  if found is null then return; end if;
  select t.tgrelid into watched from pg_trigger t where t.tgfoid = found limit 1;
  if watched is null then return; end if;
  state := 'changed';
  if _table is distinct from watched
    or obj_description(found, 'pg_proc') is distinct from ${s}.watch_options(_stream, _columns, _where, _diff, _old)
    or (select count(*) from pg_trigger t where t.tgfoid = found and t.tgenabled <> 'D') <> ${Object.keys(EVENTS).length} then return; end if;
  begin
    source := ${s}.watch_source(_table, (select t.id from ${s}.stream t where t.name = _stream), names.setting, _columns, _where, _diff, _old);
  exception when others then null;
  end;
  state := case when source = (select p.prosrc from pg_proc p where p.oid = found) then 'installed' else 'outdated' end;
end $body$`
}

/** The table's name and the query for its rows, for \`bootstrap()\`. */
function snapshot(s: string): string {
  return /* sql */ `create function ${s}.watch_snapshot(_table oid, _columns text[], _where text, out named text, out query text)
    ${ATTRIBUTES} stable as $body$
begin
  named := (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = _table);
  query := ${s}.watch_query(_table, 'SNAPSHOT', false, _columns, _where, false, false);
end $body$`
}

function comments(s: string): string[] {
  return [
    comment(
      s,
      'watch_install(regclass, text, text[], text, boolean, boolean)',
      'Tells the changes of a table on a stream from now on, by triggers; replaces what the stream was told before.',
    ),
    comment(
      s,
      'watch_remove(text)',
      'Removes the triggers that tell changes on a stream. The stream stays.',
    ),
  ]
}
