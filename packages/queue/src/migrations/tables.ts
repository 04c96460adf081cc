/**
 * Tables of the native engine.
 *
 * Where a job is
 * - Its body (`queue_job`) is written once and stays until its history is swept.
 * - A job that waits has one row in `queue_ready`, or in `queue_scheduled` until it is due, or in `queue_parked` while its group is full,
 *   or in `queue_flow` while it waits for children. A job that runs stands in the array of one row of `queue_lease`.
 * - A job that ended has a row in `queue_result`, or stands in the array of a row of `queue_done` if it completed without a word.
 *
 * Invariants
 * - Of those places a job has exactly one at any time; it changes place in one transaction.
 * - Who ends a job removes it from the lease it was claimed under. A lease that is gone cannot end anything: that is the fence. No two
 *   leases ever have the same number, also where a crash has undone one of them: nothing is claimed between a crash and `queue_enter`.
 * - `queue_ready.seq` is drawn after the transaction took its id, and is the job's own id where it was added ready. So everything
 *   drawn before some moment has been seen once the transactions of that moment have ended (`functions/seal.ts`).
 * - Rows of `queue_ready`, `queue_scheduled` and `queue_lease` are inserted and deleted, never updated in place but for a lease that
 *   shrinks: rows that an old snapshot keeps from being removed are passed over by searching behind them.
 */
export function createTables(s: string): string[] {
  return [
    /* sql */ `create sequence ${s}.queue_seq`,
    // Numbers leases and workers. After a crash it goes on far behind all numbers it may have given before (`queue_enter`).
    /* sql */ `create sequence ${s}.queue_lease_seq cache 8`,
    // Falls back to 0 when a crash of the server may have undone claims that were committed asynchronously.
    /* sql */ `create unlogged sequence ${s}.queue_epoch minvalue 0 start 0`,
    /* sql */ `create table ${s}.queue (
      id integer generated always as identity primary key,
      name text collate "C" not null unique,
      paused boolean not null default false,
      attempts smallint not null default 5,
      max_crashes smallint not null default 3,
      backoff_ms float8 not null default 1000,
      backoff_max_ms float8 not null default 3600000,
      max_payload_bytes integer not null default 1048576,
      keep_completed_ms float8 not null default 86400000,
      keep_failed_ms float8 not null default 2592000000,
      keep_cancelled_ms float8 not null default 604800000,
      concurrency integer,
      group_concurrency integer,
      rate_max integer,
      rate_burst integer,
      rate_per_ms float8
    )`,
    /* sql */ `create table ${s}.queue_job (
      id bigint primary key,
      added_at timestamptz not null,
      queue integer not null,
      rank integer not null,
      attempts smallint,
      flags smallint not null,
      payload json not null,
      expires_at timestamptz,
      parent bigint,
      key text collate "C",
      keep_key_ms float8,
      grp text collate "C",
      backoff_ms float8,
      trace text
    )`,
    /* sql */ `create table ${s}.queue_ready (
      seq bigint not null,
      id bigint not null,
      queue integer not null,
      rank integer not null,
      attempt smallint not null,
      flags smallint not null,
      primary key (queue, rank, seq)
    ) with (${BUSY})`,
    /* sql */ `create index queue_ready_id on ${s}.queue_ready (id) where id <> seq`,
    /* sql */ `create table ${s}.queue_scheduled (
      run_at timestamptz not null,
      id bigint not null,
      queue integer not null,
      rank integer not null,
      attempt smallint not null,
      flags smallint not null,
      primary key (queue, run_at, id)
    ) with (${BUSY})`,
    /* sql */ `create index queue_scheduled_id on ${s}.queue_scheduled (id)`,
    /* sql */ `create table ${s}.queue_parked (
      seq bigint not null,
      id bigint not null,
      queue integer not null,
      rank integer not null,
      attempt smallint not null,
      flags smallint not null,
      grp text collate "C" not null,
      primary key (queue, grp, rank, seq)
    )`,
    /* sql */ `create index queue_parked_id on ${s}.queue_parked (id)`,
    /* sql */ `create table ${s}.queue_worker (
      id bigint primary key,
      queue integer not null,
      expires_at timestamptz not null,
      started_at timestamptz not null,
      slots integer not null default 0,
      wants integer not null default 0,
      about text not null
    )`,
    /* sql */ `create table ${s}.queue_lease (
      id bigint primary key,
      worker bigint not null,
      queue integer not null,
      started_at timestamptz not null,
      ids bigint[] not null
    ) with (${BUSY})`,
    /* sql */ `create table ${s}.queue_receipt (id bigint, lease bigint, output json, primary key (id, lease))`,
    /* sql */ `create table ${s}.queue_retry (
      id bigint primary key,
      failures smallint not null default 0,
      crashes smallint not null default 0,
      error text
    )`,
    /* sql */ `create table ${s}.queue_done (
      finished_at timestamptz not null,
      started_at timestamptz not null,
      queue integer not null,
      ids bigint[] not null
    )`,
    /* sql */ `create index queue_done_time on ${s}.queue_done (queue, finished_at)`,
    /* sql */ `create table ${s}.queue_result (
      id bigint primary key,
      finished_at timestamptz not null,
      started_at timestamptz,
      queue integer not null,
      failures smallint not null,
      crashes smallint not null,
      outcome text not null,
      error text,
      output json
    )`,
    /* sql */ `create index queue_result_time on ${s}.queue_result (queue, outcome, finished_at)`,
    /* sql */ `create table ${s}.queue_key (
      queue integer not null,
      key text collate "C" not null,
      job bigint not null,
      until timestamptz not null,
      primary key (queue, key)
    )`,
    /* sql */ `create table ${s}.queue_group (
      queue integer not null,
      grp text collate "C" not null,
      version bigint not null,
      active integer not null,
      primary key (queue, grp, version)
    )`,
    /* sql */ `create table ${s}.queue_rate (queue integer, version bigint, arrival timestamptz not null, primary key (queue, version))`,
    /* sql */ `create table ${s}.queue_flow (
      id bigint primary key,
      queue integer not null,
      pending integer not null,
      ready_at timestamptz
    )`,
    /* sql */ `create table ${s}.queue_child (parent bigint, child bigint, tolerated boolean not null, primary key (parent, child))`,
    /* sql */ `create table ${s}.queue_step (job bigint, name text collate "C", output json, primary key (job, name))`,
    /* sql */ `create table ${s}.queue_cancel (id bigint primary key, worker bigint not null)`,
    /* sql */ `create unlogged table ${s}.queue_progress (id bigint primary key, value json not null)`,
    /* sql */ `create unlogged table ${s}.queue_idle (worker bigint primary key, queue integer not null, until timestamptz not null)`,
    /* sql */ `create index queue_idle_queue on ${s}.queue_idle (queue)`,
    /* sql */ `create unlogged table ${s}.queue_watch (id text primary key, queue integer not null, until timestamptz not null)`,
    /* sql */ `create table ${s}.queue_tally (
      at timestamptz not null,
      queue integer not null,
      ${TALLY_COLUMNS.map((name) => `${name} integer not null default 0`).join(',\n      ')}
    )`,
    /* sql */ `create index queue_tally_queue on ${s}.queue_tally (queue, at)`,
  ]
}

/** What is counted; each row adds to or takes from it. The first ones are how many there are now, the others how many there ever were. */
export const TALLY_COLUMNS = [
  'waiting',
  'delayed',
  'blocked',
  'running',
  'dead',
  'added',
  'completed',
  'failed',
  'crashed',
  'died',
  'cancelled',
  'expired',
] as const

/** Whatever {@link createTables} makes, latest first; indexes go with their tables. */
export function dropTables(s: string): string[] {
  return createTables(s)
    .flatMap((sql) => {
      const [, kind, name] =
        /^create (?:unlogged )?(table|sequence) \.(\w+)/.exec(sql.replace(s, '')) ?? []
      return kind === undefined ? [] : [`drop ${kind} ${s}.${name}`]
    })
    .toReversed()
}

/** Tables of which every row goes soon: vacuum often, by number and not by share. */
const BUSY =
  'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0'
