import type { Migration } from '@howdah/core'
import { dropFunction } from './fragments.js'
import { appendFunctions } from './functions/append.js'
import { openFunctions } from './functions/open.js'
import { readFunctions } from './functions/read.js'
import { sequenceFunctions } from './functions/sequence.js'

/**
 * Streams: a log that is only ever inserted into, and beside it the order in which its rows became visible.
 *
 * - `stream_log`: what was appended, by any transaction, in no order that means anything.
 * - `stream_segment`: the order. A row lists the messages `first` to `last` of a stream by their ids in the log, and `total` sums up the
 *   stored bytes of all messages the stream ever had. Readers look here, and nowhere else.
 * - `stream_tick`: the snapshots between which messages were put in order; `functions/sequence.ts` says how.
 * - `stream_epoch`: the servers on which that happened, for one that was restored or promoted may give out offsets again;
 *   `stream_epoch_start` says with which offset of a stream each began.
 * - `stream_dedup`, `stream_claim`: keys that were appended, and offsets that appends have relied on.
 */
export const streams: Migration = {
  version: 1,
  name: 'streams',
  up: (s) => [
    /* sql */ `create table ${s}.stream (
      id integer generated always as identity primary key,
      name text collate "C" not null unique,
      floor bigint not null default 1,
      max_age_ms float8,
      max_bytes bigint,
      max_messages bigint,
      dedup_ms float8 not null default 86400000,
      created_at timestamptz not null default statement_timestamp()
    )`,
    /* sql */ `create table ${s}.stream_log (
      id bigint generated always as identity primary key,
      xid xid8 not null default pg_current_xact_id(),
      stream integer not null,
      at timestamptz not null default clock_timestamp(),
      key text collate "C",
      headers json,
      payload json not null
    )`,
    /* sql */ `create index stream_log_xid on ${s}.stream_log (xid)`,
    /* sql */ `create table ${s}.stream_segment (
      stream integer not null,
      first bigint not null,
      last bigint not null,
      epoch integer not null,
      total bigint not null,
      at timestamptz not null default statement_timestamp(),
      ids bigint[] not null,
      primary key (stream, first)
    )`,
    /* sql */ `create table ${s}.stream_tick (
      tick bigint primary key,
      snapshot pg_snapshot not null,
      at timestamptz not null default statement_timestamp()
    )`,
    /* sql */ `create table ${s}.stream_epoch (
      epoch integer primary key,
      system_id text not null,
      timeline text not null,
      at timestamptz not null default statement_timestamp()
    )`,
    /* sql */ `create table ${s}.stream_epoch_start (
      stream integer not null,
      epoch integer not null,
      first bigint not null,
      primary key (stream, epoch)
    )`,
    /* sql */ `create table ${s}.stream_dedup (
      stream integer not null,
      key text collate "C" not null,
      id bigint not null,
      expires_at timestamptz not null,
      primary key (stream, key)
    )`,
    /* sql */ `create index stream_dedup_expires on ${s}.stream_dedup (expires_at)`,
    /* sql */ `create table ${s}.stream_claim (
      stream integer not null,
      after bigint not null,
      at timestamptz not null default statement_timestamp(),
      primary key (stream, after)
    )`,
    ...functions(s),
  ],
  down: (s) => [
    ...functions(s).toReversed().flatMap(dropFunction),
    ...['claim', 'dedup', 'epoch_start', 'epoch', 'tick', 'segment', 'log'].map(
      (name) => `drop table ${s}.stream_${name}`,
    ),
    `drop table ${s}.stream`,
  ],
}

function functions(s: string): string[] {
  return [...openFunctions(s), ...sequenceFunctions(s), ...appendFunctions(s), ...readFunctions(s)]
}
