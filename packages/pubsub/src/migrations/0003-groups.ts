import type { Migration } from '@howdah/core'
import { dropFunction } from './fragments.js'
import { groupFunctions } from './functions/groups.js'
import { orderedFunctions } from './functions/ordered.js'
import { sharedFunctions } from './functions/shared.js'
import { statsFunctions } from './functions/stats.js'
import { trimFunctions } from './functions/trim.js'

/**
 * Groups of consumers.
 *
 * - `stream_group`: who reads a stream together. `cursor` is the last offset a shared group has given out.
 * - `stream_member`: who of them lives, so that each takes its share of the partitions.
 * - `stream_partition`: an ordered group's place for the keys that fall to it. Whoever takes it over raises `fence`, and what the one before
 *   does after that with the old number does nothing.
 * - `stream_pending`: messages a shared group has given out and that are not done. `lease` is one number for each time it is given out.
 * - `stream_dead`: messages that failed too often, with all there is to know of them, for the stream may have dropped them by then.
 */
export const groups: Migration = {
  version: 3,
  name: 'groups',
  up: (s) => [
    /* sql */ `create table ${s}.stream_group (
      id integer generated always as identity primary key,
      stream integer not null,
      name text collate "C" not null,
      mode text not null,
      partitions integer not null,
      epoch integer not null,
      cursor bigint not null,
      unique (stream, name)
    ) with (fillfactor = 50)`,
    /* sql */ `create table ${s}.stream_member (
      grp integer not null,
      id text not null,
      until timestamptz not null,
      primary key (grp, id)
    )`,
    /* sql */ `create table ${s}.stream_partition (
      grp integer not null,
      part integer not null,
      epoch integer not null,
      cursor bigint not null,
      fence bigint not null default 0,
      owner text,
      until timestamptz,
      attempts integer not null default 0,
      primary key (grp, part)
    ) with (fillfactor = 50)`,
    /* sql */ `create sequence ${s}.stream_lease`,
    /* sql */ `create table ${s}.stream_pending (
      grp integer not null,
      off bigint not null,
      lease bigint not null,
      attempts integer not null,
      due_at timestamptz not null,
      owner text not null,
      error text,
      primary key (grp, off)
    )`,
    /* sql */ `create index stream_pending_due on ${s}.stream_pending (grp, due_at)`,
    /* sql */ `create table ${s}.stream_dead (
      grp integer not null,
      off bigint not null,
      attempts integer not null,
      error text,
      key text,
      headers json,
      payload json,
      appended_at timestamptz,
      at timestamptz not null default statement_timestamp(),
      primary key (grp, off)
    )`,
    ...functions(s),
  ],
  down: (s) => [
    ...functions(s).toReversed().flatMap(dropFunction),
    `drop table ${s}.stream_dead`,
    `drop table ${s}.stream_pending`,
    `drop sequence ${s}.stream_lease`,
    `drop table ${s}.stream_partition`,
    `drop table ${s}.stream_member`,
    `drop table ${s}.stream_group`,
  ],
}

function functions(s: string): string[] {
  return [
    ...groupFunctions(s),
    ...orderedFunctions(s),
    ...sharedFunctions(s),
    ...trimFunctions(s),
    ...statsFunctions(s),
  ]
}
