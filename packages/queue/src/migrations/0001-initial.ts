import type { Migration } from '@howdah/core'

/**
 * `job` holds what waits and what runs. A running job's `run_at` is the end of its lease, so a worker that died needs no rescuer:
 * its jobs simply become due again. `lease` fences it: only the holder of the newest one can end the job.
 *
 * A payload is `json`, not `jsonb`: what SQL writes is checked too, and `\u0000` is kept, which `jsonb` refuses.
 */
export const initial: Migration = {
  version: 1,
  name: 'initial',
  up: (s) => [
    `create sequence ${s}.queue_lease cache 32`,
    `create table ${s}.queue_job (
      id bigint generated always as identity primary key,
      queue text collate "C" not null,
      payload json not null,
      priority smallint not null,
      run_at timestamptz not null,
      attempt integer not null default 0,
      max_attempts integer not null,
      lease bigint,
      error text,
      added_at timestamptz not null default statement_timestamp()
    )`,
    `create index queue_job_due on ${s}.queue_job (queue, priority desc, run_at, id)`,
    `create table ${s}.queue_dead (
      id bigint primary key,
      queue text collate "C" not null,
      payload json not null,
      priority smallint not null,
      attempt integer not null,
      max_attempts integer not null,
      error text,
      added_at timestamptz not null,
      died_at timestamptz not null default statement_timestamp()
    )`,
    `create index queue_dead_newest on ${s}.queue_dead (queue, id desc)`,
  ],
  down: (s) => [
    `drop table ${s}.queue_dead`,
    `drop table ${s}.queue_job`,
    `drop sequence ${s}.queue_lease`,
  ],
}
