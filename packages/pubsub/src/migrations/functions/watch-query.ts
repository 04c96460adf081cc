/**
 * Writes the query that turns a change, or the table as it is, into events.
 *
 * Rules
 * - Old and new rows are paired by the text of their key, which is what readers know a row by.
 * - Rows are compared by their image (`*<>`), for not every type has an equality, and equal values may read differently.
 * - Which event it is follows from which of the two rows are there and fulfil the condition, whatever statement it was.
 */
import { ATTRIBUTES } from '../fragments.js'

/** A column of more bytes than this is left out of a large row. */
const LARGE_COLUMN = 65_536

export function watchQueryFunctions(s: string): string[] {
  return [query(s)]
}

/** Which event a pair of rows is, if any. */
const OP = `case
    when o.key is null then case when n.fits then 'insert' end
    when n.key is null then case when o.fits then 'delete' end
    when n.fits and o.fits then case when %s then 'update' end
    when n.fits then 'enter'
    when o.fits then 'leave' end`

/** Events that carry the row, and those that carry the row before. */
const WITH_NEW = `e.op in ('insert', 'update', 'enter')`
const WITH_OLD = `e.op in ('update', 'delete', 'leave')`

/**
 * Query for `key` and `payload`, the text of an event, in the order of the rows.
 *
 * `_op` is that of the trigger, or SNAPSHOT for the rows of the table. With `_again` the new rows are those our transaction has left in the table
 * under the keys of the change: what triggers of the application did to them in the meantime was told before, and must not be overwritten by what was.
 */
function query(s: string): string {
  return /* sql */ `create function ${s}.watch_query(
    _table oid, _op text, _again boolean, _columns text[], _where text, _diff boolean, _old boolean)
    returns text ${ATTRIBUTES} stable as $body$
declare
  named text := (
    select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = _table);
  keys text := (
    select string_agg(quote_ident(a.attname), ', ')
    from unnest(${s}.watch_key(_table)) k(number) join pg_attribute a on a.attrelid = _table and a.attnum = k.number);
  side text := case when _op = 'SNAPSHOT' or _op = 'INSERT' and not _again then 'n' when _op = 'DELETE' and not _again then 'o' else 'both' end;
  only_changed text := case when _diff and side = 'both' then 'e.op = ''update'' and not d.changed[%s]' end;
  with_new text := case side when 'n' then 'true' when 'both' then ${quote(WITH_NEW)} end;
  with_old text := case when _old then case side when 'o' then 'true' when 'both' then ${quote(WITH_OLD)} end end;
  differs text;
  changed text;
  changed_names text;
  new_values text;
  old_values text;
  omitted text;
  old_rows text := case _op when 'INSERT' then '(select * from howdah_new limit 0) _r' else 'howdah_old _r' end;
  new_rows text := case _op when 'SNAPSHOT' then named || ' _r' else 'howdah_new _r' end;
  event text;
begin
  select
    format('row(%s)::record *<> row(%s)::record', string_agg('n.' || c.c, ', ' order by c.n), string_agg('o.' || c.c, ', ' order by c.n)),
    string_agg(format('row(n.%s)::record *<> row(o.%1$s)::record', c.c), ', ' order by c.n),
    string_agg(format('case when d.changed[%s] then %L end', c.n, c.name), ', ' order by c.n),
    string_agg(${member('n')}, ', ' order by c.n),
    string_agg(${member('o')}, ', ' order by c.n),
    string_agg(format('case when %s(%s) then %L end', 'not (' || c.unchanged || ') and ',
      concat_ws(' or ', with_new || ' and ' || c.large_n, with_old || ' and ' || c.large_o), c.name), ', ' order by c.n)
      filter (where c.size is not null and coalesce(with_new, with_old) is not null)
    into differs, changed, changed_names, new_values, old_values, omitted
  from (
    select w.*, format('n.large and ' || w.size || ' > ${LARGE_COLUMN}', 'n.' || w.c) as large_n,
      format('o.large and ' || w.size || ' > ${LARGE_COLUMN}', 'o.' || w.c) as large_o, format(only_changed, w.n) as unchanged
    from (
      select t.*, 'c' || t.number as c, row_number() over (order by t.number) as n from ${s}.watch_columns(_table) t
      where _columns is null or t.name = any (_columns)
    ) w
  ) c;
  -- What is watched and no longer there is left out as well.
  omitted := concat_ws(', ', omitted, (
    select string_agg(format('case when %s then %L end', concat_ws(' or ', with_new, with_old), w.name), ', ') from unnest(_columns) w(name)
    where coalesce(with_new, with_old) is not null and not exists (select from ${s}.watch_columns(_table) c where c.name = w.name)));
  event := concat(
    ' || case when ' || with_new || ' then ' || format('${object('row')}', new_values) || ' else '''' end',
    ' || case when ' || with_old || ' then ' || format('${object('old')}', old_values) || ' else '''' end',
    case when only_changed is not null then
      format(' || case when e.op = ''update'' then '',"changed":'' || to_json(array_remove(array[%s]::text[], null))::text else '''' end', changed_names) end,
    case when omitted <> '' then
      format(' || coalesce('',"omitted":'' || to_json(nullif(array_remove(array[%s]::text[], null), ''{}''))::text, '''')', omitted) end,
    ' || ''}'' as payload from ');
  if side = 'n' then
    return format('select n.key, %L || n.id%s(%s) n where n.fits%s', case _op when 'INSERT' then '{"op":"insert","key":' else '{"key":' end,
      event, ${s}.watch_rows(_table, new_rows, _columns, _where), case _op when 'INSERT' then ' order by n.pos' end);
  elsif side = 'o' then
    return format('select o.key, %L || o.id%s(%s) o where o.fits order by o.pos', '{"op":"delete","key":',
      event, ${s}.watch_rows(_table, old_rows, _columns, _where));
  end if;
  if _again then
    -- A snapshot of the whole transaction may still show the row that another has deleted, beside the one we inserted under its key.
    new_rows := format('(select distinct * from (%s) _a) _k join %s _r on %s and age(_r.xmin) <= age(pg_current_xact_id()::xid)',
      concat_ws(' union all ', case when _op <> 'DELETE' then format('select %s from howdah_new', keys) end,
        case when _op <> 'INSERT' then format('select %s from howdah_old', keys) end),
      named, ${s}.watch_equality(_table));
  end if;
  return concat('select coalesce(n.key, o.key) as key, ''{"op":"'' || e.op || ''","key":'' || coalesce(n.id, o.id)', event,
    '(', ${s}.watch_rows(_table, new_rows, _columns, _where), ') n full join (', ${s}.watch_rows(_table, old_rows, _columns, _where),
    ') o on o.key = n.key cross join lateral (select ', format(${quote(OP)}, coalesce(differs, 'false')), ' as op) e',
    case when only_changed is not null then format(' cross join lateral (select array[%s]::boolean[] as changed offset 0) d', changed) end,
    ' where e.op is not null order by coalesce(n.pos, o.pos), n.pos nulls first');
end $body$`
}

/** The object of values of a side, inside of a format string. */
function object(name: string): string {
  return `'',"${name}":{'' || array_to_string(array[%s]::text[], '','') || ''}''`
}

/** One member of the object of values of a side. */
function member(side: 'n' | 'o'): string {
  return `format('case when %s then null else %L || coalesce(%s, ''null'') end',
      coalesce(nullif(concat_ws(' or ', c.large_${side}, c.unchanged), ''), 'false'), to_json(c.name)::text || ':', format(c.as_json, '${side}.' || c.c))`
}

/** Text of SQL as a literal inside of a function. */
function quote(sql: string): string {
  return `'${sql.replaceAll("'", "''")}'`
}
