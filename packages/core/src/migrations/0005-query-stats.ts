import { literal } from '../ident.js'
import { describeFunctions, describeView } from '../migrator/describe.js'
import type { Migration } from '../migrator/migration.js'

/**
 * `query_stats`: what pg_stat_statements knows of our statements, where that extension is installed. They are recognised by the quoted schema that all of them
 * name. The extension may come and go, and lies in any schema, so that a function looks for it each time.
 */
export const queryStats: Migration = {
  version: 5,
  name: 'query-stats',
  up: (s) => [
    /* sql */ `create function ${s}.query_list() returns table (
      object text, query text, calls bigint, total_ms float8, mean_ms float8, max_ms float8, rows bigint,
      blocks_hit bigint, blocks_read bigint, wal_bytes numeric, toplevel boolean)
      language plpgsql stable set search_path = pg_catalog, pg_temp as ${literal(list(s))}`,
    /* sql */ `create view ${s}.query_stats as select * from ${s}.query_list()`,
    ...describeView(
      `${s}.query_stats`,
      'What the statements of the library cost, from pg_stat_statements: a row a statement. Fails with SQLSTATE 55000 where that extension is not there.',
      COLUMNS,
    ),
    ...describeFunctions(s, FUNCTIONS),
  ],
  down: (s) => [
    `drop view ${s}.query_stats`,
    `drop function ${s}.query_list()`,
    `comment on function ${s}.hub_alive() is null`,
  ],
}

function list(s: string): string {
  return /* sql */ `
declare
  place text := (select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_stat_statements');
begin
  if place is null then
    raise object_not_in_prerequisite_state using message = 'The extension pg_stat_statements is not installed in this database.',
      hint = 'Add it to shared_preload_libraries, restart the server, and run: create extension pg_stat_statements';
  end if;
  return query execute format(
    'select (regexp_match(substr(t.query, strpos(t.query, %1$L) + length(%1$L)), ''^[A-Za-z_0-9]+''))[1],
      t.query, t.calls, t.total_exec_time, t.mean_exec_time, t.max_exec_time, t.rows, t.shared_blks_hit, t.shared_blks_read, t.wal_bytes, t.toplevel
    from %2$s.pg_stat_statements t
    where t.dbid = (select d.oid from pg_database d where d.datname = current_database()) and strpos(t.query, %1$L) > 0
    order by t.total_exec_time desc', ${literal(`${s}.`)}, place);
end`
}

const COLUMNS = {
  object:
    'The first of our tables or functions that the statement names, which tells what it is about.',
  query:
    'Its text. Statements of other roles are left out, unless the caller is a member of pg_read_all_stats.',
  calls: 'How often it ran.',
  total_ms: 'Time it took in all, in milliseconds.',
  mean_ms: 'Time it took on average.',
  max_ms: 'Time it took at most.',
  rows: 'Rows it answered or changed.',
  blocks_hit: 'Blocks found in shared buffers.',
  blocks_read: 'Blocks read.',
  wal_bytes: 'Write-ahead log it wrote.',
  toplevel: 'Whether it came from a client, rather than from a function.',
}

const FUNCTIONS = {
  'hub_alive()':
    'Lists the hubs of all processes that live; quiet is one whose process has said nothing for 20 seconds.',
}
