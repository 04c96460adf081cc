import { literal, type Migration } from '@howdah/core'

/**
 * What materialised queries keep beside their views.
 *
 * - `cache_materialized`: one row a query. `shape` and `tracked` are digests of what the view and the triggers were made from, empty
 *   while there are none; `run` is the number of the last refresh that ended, well or badly.
 * - `cache_materialized_mark`: one row for each transaction that changed a tracked table and was not refreshed for. Rows are only
 *   added by writers, so writers never wait for each other. UNLOGGED: a crash takes the marks, and with them the mark of id 0 that
 *   each query keeps, which is how the loss is noticed.
 * - `cache_materialized_run`: numbers the refreshes in the order of their starts. A sequence, because a number drawn counts at once,
 *   without a commit.
 */
export const materialized: Migration = {
  version: 2,
  name: 'materialized',
  up: (s) => [
    /* sql */ `create table ${s}.cache_materialized (
      name text collate "C" primary key,
      id integer generated always as identity unique,
      view text collate "C" not null,
      shape text not null default '',
      tracked text not null default '',
      run bigint not null default 0,
      refreshed_at timestamptz,
      duration_ms double precision,
      failures integer not null default 0,
      failed_at timestamptz,
      retry_at timestamptz,
      code text,
      error text
    )`,
    /* sql */ `create unlogged table ${s}.cache_materialized_mark (
      query integer not null,
      xid xid8 not null,
      marked_at timestamptz not null default clock_timestamp(),
      primary key (query, xid)
    )`,
    /* sql */ `create sequence ${s}.cache_materialized_run`,
  ],
  down: (s) => [
    /* sql */ `do ${literal(dropAll(s))}`,
    /* sql */ `drop sequence ${s}.cache_materialized_run`,
    /* sql */ `drop table ${s}.cache_materialized_mark`,
    /* sql */ `drop table ${s}.cache_materialized`,
  ],
}

/** Views and triggers were made as the application ran, so that only the table knows them. */
function dropAll(s: string): string {
  return /* sql */ `
declare
  query record;
begin
  for query in select id, view from ${s}.cache_materialized loop
    execute format('drop materialized view if exists %s.%I', ${literal(s)}, query.view);
    execute format('drop function if exists %s.cache_changed_%s() cascade', ${literal(s)}, query.id);
  end loop;
end`
}
