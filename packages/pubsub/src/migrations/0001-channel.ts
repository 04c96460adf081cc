import type { Migration } from '@howdah/core'
import { publishFunction } from './functions/publish.js'

/**
 * Channels: `pubsub_spill` holds messages that are too large for notifications, for the minutes in which receivers fetch them, and `publish` is for
 * triggers and psql. The table is UNLOGGED: after a crash of the server its rows are gone, and receivers are told of a gap anyway.
 *
 * A body is stored uncompressed (`external`), for compressing it takes longer than writing it.
 */
export const channels: Migration = {
  version: 1,
  name: 'channel',
  up: (s) => [
    /* sql */ `create unlogged table ${s}.pubsub_spill (
      id uuid primary key,
      at timestamptz not null default clock_timestamp(),
      json text,
      bytes bytea,
      check (num_nonnulls(json, bytes) = 1)
    )`,
    /* sql */ `alter table ${s}.pubsub_spill alter column json set storage external, alter column bytes set storage external`,
    /* sql */ `create index pubsub_spill_at on ${s}.pubsub_spill (at)`,
    ...publishFunction(s),
  ],
  down: (s) => [`drop function ${s}.publish(text, jsonb)`, `drop table ${s}.pubsub_spill`],
}
