import type { Migration } from '@howdah/core'
import { scheduleFunctions } from './functions/schedules.js'

/**
 * Schedules: what is to be added again and again.
 *
 * States of a run: waiting (`job` is null: an earlier run has not ended, and they are not to overlap) -> added (`job`) -> ended (`outcome`).
 *
 * Invariants
 * - A slot of a schedule has one run at most: that is the primary key.
 * - `next_at` only moves on from the value that whoever moves it has seen, in the transaction that adds the jobs of the slots it passes.
 */
export const schedules: Migration = {
  version: 2,
  name: 'schedules',
  up: (s) => [
    /* sql */ `create table ${s}.queue_schedule (
      id bigint generated always as identity primary key,
      queue integer not null,
      name text collate "C" not null,
      cron text,
      every_ms float8,
      timezone text not null,
      anchor timestamptz not null,
      catch_up text not null,
      overlap text not null,
      driver text not null,
      payload json not null,
      spec jsonb not null,
      keep_ms float8 not null,
      paused boolean not null default false,
      next_at timestamptz,
      unique (queue, name)
    )`,
    /* sql */ `create index queue_schedule_next on ${s}.queue_schedule (queue, next_at) where not paused`,
    /* sql */ `create table ${s}.queue_run (
      schedule bigint not null,
      slot timestamptz not null,
      job bigint,
      started_at timestamptz,
      finished_at timestamptz,
      outcome text,
      primary key (schedule, slot)
    )`,
    /* sql */ `create index queue_run_job on ${s}.queue_run (job) where job is not null`,
    /* sql */ `create index queue_run_open on ${s}.queue_run (schedule, slot) where outcome is null`,
    /* sql */ `create index queue_run_ended on ${s}.queue_run (schedule, finished_at) where outcome is not null`,
    ...scheduleFunctions(s),
  ],
  down: (s) => [
    ...scheduleFunctions(s)
      .toReversed()
      .flatMap((sql) => {
        const name = /^create function (.*?)\(/.exec(sql)?.[1]
        return name === undefined ? [] : [`drop function ${name}`]
      }),
    `drop table ${s}.queue_run`,
    `drop table ${s}.queue_schedule`,
  ],
}
