/**
 * The body of a watch's trigger function.
 *
 * It runs as whoever installed the watch, so that writers need no rights on our schema, and appends what a statement changed by one insert.
 *
 * Invariants
 * - Nothing the rows, the condition or the table's shape do makes the application's statement fail: what goes wrong becomes one event, `lost`.
 *   Serialization failures go through, for they end the transaction anyway.
 * - Up to FEW rows are rendered into memory in a block that writes nothing, so that it costs no transaction id, and then appended; more are
 *   appended as they are rendered, in bounded memory.
 * - The queries in the body are of the table as it was when the watch was installed. For another shape, key, or name they are written anew,
 *   which takes longer.
 * - Once the watch has told something in a statement of the client, what the same statement brings about next is read from the table: see `watch_query`.
 *   That is: rows changed by triggers within the change, MERGE, and statements of functions.
 */
import { literal } from '@howdah/core'
import { ATTRIBUTES } from '../fragments.js'

const FEW = 32

const OPS = ['INSERT', 'UPDATE', 'DELETE'] as const

export function watchTriggerFunctions(s: string): string[] {
  return [shape(s), source(s)]
}

/** Expression that tells the shape of the table whose number \`of\` is, for comparing: names and types of columns, and the key. */
function shapeOf(of: string): string {
  return `coalesce((select bit_xor(hashtextextended(a.attname::text, (a.atttypid::bigint << 11) + a.attnum)) from pg_attribute a where a.attrelid = ${of} and a.attnum > 0 and not a.attisdropped), 0)
      # coalesce((select bit_xor(hashtextextended(i.indkey::text, i.indisprimary::integer)) from pg_index i where i.indrelid = ${of} and i.indisvalid and i.indimmediate and (i.indisprimary or i.indisreplident)), 0)`
}

function shape(s: string): string {
  return /* sql */ `create function ${s}.watch_shape(_table oid) returns bigint ${ATTRIBUTES} stable as $body$
begin
  return ${shapeOf('_table')};
end $body$`
}

function source(s: string): string {
  const body = /* sql */ `
#variable_conflict use_column
declare
  fits boolean;
  count integer;
  keys text[];
  payloads json[];
  query text;
  again boolean := coalesce(current_setting('{{setting}}', true) = statement_timestamp()::text, false) and not row_security_active(tg_relid);
begin
  if tg_op = 'TRUNCATE' then
    keys := array[null];
    payloads := array['{"op":"truncate"}'];
  else
    begin
      if tg_op = 'DELETE' then
        select (select count(*) from (select from howdah_old limit ${FEW + 1}) r), ${shapeOf('tg_relid')} = {{shape}} into count, fits;
      else
        select (select count(*) from (select from howdah_new limit ${FEW + 1}) r), ${shapeOf('tg_relid')} = {{shape}} into count, fits;
      end if;
      if count = 0 then return null; end if;
      if count > ${FEW} or not fits or again and (tg_table_schema <> {{table_schema}} or tg_table_name <> {{table_name}}) then
        query := ${s}.watch_query(tg_relid, tg_op, again, {{options}});
        if count > ${FEW} then
          execute format('insert into ${s.replaceAll('%', '%%').replaceAll("'", "''")}.stream_log (stream, key, payload) select {{stream}}, e.key, e.payload::json from (%s) e', query);
          get diagnostics count = row_count;
          if count > 0 then perform set_config('{{setting}}', statement_timestamp()::text, true); end if;
          return null;
        end if;
        execute format('select array_agg(e.key), array_agg(e.payload::json) from (%s) e', query) into keys, payloads;
${[false, true].map((again) => OPS.map((op) => branch(again, op)).join('')).join('')}      end if;
    exception
      when transaction_rollback then raise;
      when others then
        raise warning 'Howdah could not tell a change of table %: %', tg_relid::regclass, sqlerrm;
        keys := array[null];
        payloads := array[format('{"op":"lost","reason":"%s"}', sqlstate)];
    end;
  end if;
  if keys is null then return null; end if;
  insert into ${s}.stream_log (stream, key, payload) select {{stream}}, e.key, e.payload from unnest(keys, payloads) e(key, payload);
  perform set_config('{{setting}}', statement_timestamp()::text, true);
  return null;
end `
  const values: Record<string, string> = {
    setting: '_setting',
    shape: `${s}.watch_shape(_table)`,
    stream: '_number',
    options: `concat_ws(', ', coalesce(quote_literal(_columns::text) || '::text[]', 'null'), quote_nullable(_where), _diff::text, _old::text)`,
    table_schema: `(select quote_literal(n.nspname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = _table)`,
    table_name: `(select quote_literal(c.relname) from pg_class c where c.oid = _table)`,
  }
  for (const op of OPS) {
    for (const again of [false, true]) {
      values[queryName(again, op)] =
        `${s}.watch_query(_table, '${op}', ${again}, _columns, _where, _diff, _old)`
    }
  }
  const parts = body
    .split(/\{\{(.*?)\}\}/)
    .map((part, n) => (n % 2 === 0 ? literal(part) : (values[part] as string)))
  return /* sql */ `create function ${s}.watch_source(
    _table oid, _number integer, _setting text, _columns text[], _where text, _diff boolean, _old boolean)
    returns text ${ATTRIBUTES} stable as $body$
begin
  return concat(${parts.join(', ')});
end $body$`
}

function queryName(again: boolean, op: string): string {
  return `${op}${again ? ' again' : ''}`
}

function branch(again: boolean, op: (typeof OPS)[number]): string {
  const last = again && op === 'DELETE'
  const condition = `${again ? 'again' : 'not again'} and tg_op = '${op}'`
  return `      ${last ? 'else' : `elsif ${condition} then`}
        select array_agg(e.key), array_agg(e.payload::json) into keys, payloads from ({{${queryName(again, op)}}}) e;
`
}
