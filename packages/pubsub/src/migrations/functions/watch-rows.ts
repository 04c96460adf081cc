/**
 * What a table is to a watch: the columns that can be told, the key, and the rows of one side of a change.
 *
 * All are made from the table's shape as the catalogue has it at the time.
 */
import { ATTRIBUTES } from '../fragments.js'

/** A row of more bytes than this is told without its large columns: the text of an event must stay below a gigabyte, whatever is in it. */
const LARGE_ROW = 1_048_576

export function watchRowsFunctions(s: string): string[] {
  return [columns(s), key(s), equality(s), rows(s)]
}

/**
 * Columns with expressions for the value `%1$s`: as JSON text; as plain text, null where that is what the JSON
 * text says; and its size in bytes, null where that is always small.
 *
 * No value loses digits in JavaScript, and none fails: `bigint` and `numeric` are strings, JSON is taken as the text it is (`jsonb` cannot hold
 * all that `json` can), composite types are text, and the rest is as `to_json` has it. Columns that PostgreSQL computes when they are read
 * are left out, for the rows of a change do not have them.
 */
function columns(s: string): string {
  return /* sql */ `create function ${s}.watch_columns(_table oid)
    returns table (number smallint, name text, as_json text, as_text text, size text) ${ATTRIBUTES} stable as $body$
begin
  return query
    with recursive resolved as (
      select a.attnum, a.attname::text as attname, t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory, t.typlen
      from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = _table and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
      union all
      select r.attnum, r.attname, t.oid, t.typtype, t.typbasetype, t.typelem, t.typcategory, t.typlen
      from resolved r join pg_type t on t.oid = r.typbasetype where r.typtype = 'd'
    )
    select r.attnum, r.attname,
      case
        when r.oid in ('json'::regtype, 'jsonb'::regtype) then '%1$s::text'
        when r.oid in ('bigint'::regtype, 'numeric'::regtype) or r.typtype = 'c' then 'to_json(%1$s::text)::text'
        when r.typcategory = 'A' and (e.oid in ('bigint'::regtype, 'numeric'::regtype) or e.typtype in ('c', 'd'))
          then 'to_json(%1$s::text[])::text'
        else 'to_json(%1$s)::text'
      end,
      case
        when r.oid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'text'::regtype, 'varchar'::regtype, 'uuid'::regtype)
          then '%1$s::text'
      end,
      case
        when r.typlen <> -1 or r.oid = 'numeric'::regtype then null
        when r.oid in ('text'::regtype, 'varchar'::regtype, 'bytea'::regtype) then 'octet_length(%1$s)'
        else 'pg_column_size(%1$s)'
      end
    from resolved r left join pg_type e on e.oid = r.typelem
    where r.typtype <> 'd'
    order by r.attnum;
end $body$`
}

/** Numbers of the columns that identify a row: the primary key, else the replica identity. A deferrable one does not, between two statements. */
function key(s: string): string {
  return /* sql */ `create function ${s}.watch_key(_table oid) returns smallint[] ${ATTRIBUTES} stable as $body$
declare
  numbers smallint[];
begin
  select array(select k.number from unnest(i.indkey::smallint[]) with ordinality k(number, n) where k.n <= i.indnkeyatts order by k.n)
    into numbers
  from pg_index i
  where i.indrelid = _table and i.indisvalid and i.indimmediate and (i.indisprimary or i.indisreplident)
  order by i.indisprimary desc limit 1;
  if numbers is null then
    raise invalid_table_definition using message = format(
      'The table %s has no primary key that holds at all times. Give it one that is not deferrable, or a replica identity index.', _table::regclass);
  end if;
  return numbers;
end $body$`
}

/** Condition that \`_r\` and \`_k\` have the same key, which an index finds. Operators are named in full, for some types have theirs in other schemas. */
function equality(s: string): string {
  return /* sql */ `create function ${s}.watch_equality(_table oid) returns text ${ATTRIBUTES} stable as $body$
begin
  return (
    select string_agg(format('_r.%1$I %2$s _k.%1$I', a.attname, coalesce((
      select format('operator(%I.%s)', n.nspname, p.oprname)
      from pg_opclass c
      join pg_amop m on m.amopfamily = c.opcfamily and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype and m.amopstrategy = 3
      join pg_operator p on p.oid = m.amopopr
      join pg_namespace n on n.oid = p.oprnamespace
      where c.oid = i.indclass[k.n - 1]), '=')), ' and ' order by k.n)
    from (
      select * from pg_index x where x.indrelid = _table and x.indisvalid and x.indimmediate and (x.indisprimary or x.indisreplident)
      order by x.indisprimary desc limit 1
    ) i, unnest(i.indkey::smallint[]) with ordinality k(number, n) join pg_attribute a on a.attrelid = _table and a.attnum = k.number
    where k.n <= i.indnkeyatts
  );
end $body$`
}

/**
 * Select of the rows \`_r\` of \`_from\`: their \`key\`, in the collation its text is compared in; the key as JSON (\`id\`); whether the condition holds
 * (\`fits\`); whether the row is \`large\`; its place in the change (\`pos\`); and told columns as c1, c2 and so on, by number.
 * Because of \`pos\` PostgreSQL computes these once, and not where they are used.
 */
function rows(s: string): string {
  return /* sql */ `create function ${s}.watch_rows(_table oid, _from text, _columns text[], _where text)
    returns text ${ATTRIBUTES} stable as $body$
declare
  id text;
  key text;
  size text;
  told text;
begin
  select string_agg(format('%L || %s', case k.n when 1 then '{' else ',' end || to_json(k.name)::text || ':', k.as_json), ' || ' order by k.n) || ' || ''}''',
      case count(*)
        when 1 then min(coalesce(k.as_text, format('(%s)::json #>> ''{}''', k.as_json)))
        else '''['' || ' || string_agg(k.as_json, ' || '','' || ' order by k.n) || ' || '']'''
      end
    into id, key
  from (
    select c.name, u.n, format(c.as_json, '_r.' || quote_ident(c.name)) as as_json,
      format(c.as_text, '_r.' || quote_ident(c.name)) as as_text
    from unnest(${s}.watch_key(_table)) with ordinality u(number, n) join ${s}.watch_columns(_table) c on c.number = u.number
  ) k;
  select string_agg(format('coalesce(' || c.size || ', 0)::bigint', '_r.' || quote_ident(c.name)), ' + '),
      string_agg(format(', _r.%I as c%s', c.name, c.number), '' order by c.number)
    into size, told
  from ${s}.watch_columns(_table) c where _columns is null or c.name = any (_columns);
  return format('select (%s) collate "C" as key, %s as id, %s as fits, %s as large, row_number() over () as pos%s from %s%s',
    key, id, case when _where is null then 'true' else '_w.fits' end, coalesce(size || ' > ${LARGE_ROW}', 'false'), told,
    _from,
    case when _where is null then '' else format(
      E' cross join lateral (select coalesce((%s\\n)::boolean, false) as fits from (select _r.*) as %I) _w',
      _where, (select c.relname from pg_class c where c.oid = _table)) end);
end $body$`
}
