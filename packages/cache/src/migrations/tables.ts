import { literal } from '@howdah/core'
import { entryTable, FAMILIES, type Family } from './family.js'

/**
 * - `cache_namespace`: names and their numbers. Clearing a namespace gives its name a new number, so that it takes as long with a
 *   million entries as with one; what lies under the old number is `cache_garbage`, removed little by little.
 * - `cache_entry`, `cache_entry_logged`: the entries.
 * - `cache_tag`: versions of tags that were invalidated. An entry remembers a sum over its tags' versions and is live while the sum is
 *   the same. Rows that are old are pruned: entries up to the version `tag_floor` that carry tags are then over as well. A tag has more than one row only where transactions invalidated it at the same time, so that none of them waits.
 */
export function createTables(s: string): string[] {
  return [
    /* sql */ `create sequence ${s}.cache_version`,
    /* sql */ `create sequence ${s}.cache_namespace_id as integer`,
    /* sql */ `create table ${s}.cache_namespace (
      name text collate "C" primary key check (name <> '' and octet_length(name) <= 1024),
      id integer not null unique default nextval(${literal(`${s}.cache_namespace_id`)}),
      logged boolean not null,
      near_until timestamptz,
      near_epoch uuid,
      tag_floor bigint not null default 0
    ) with (fillfactor = 50)`,
    /* sql */ `create table ${s}.cache_garbage (
      namespace integer primary key,
      logged boolean not null,
      cleared_at timestamptz not null default clock_timestamp()
    )`,
    /* sql */ `create table ${s}.cache_tag (
      namespace integer not null,
      hash bigint not null,
      version bigint not null,
      xid xid8 not null,
      at timestamptz not null default clock_timestamp(),
      primary key (namespace, hash, version)
    ) with (fillfactor = 70)`,
    /* sql */ `create index cache_tag_at on ${s}.cache_tag (at)`,
    ...FAMILIES.flatMap((family) => createEntries(s, family)),
  ]
}

/**
 * UNLOGGED by default: a cache entry is not worth its WAL, and losing all of them in a crash is a miss, never a wrong answer.
 *
 * - `value` starts with a letter that tells its type; binary values follow in `bin`. Null is a placeholder: someone loads the
 *   value, or removed it in a transaction.
 * - `expires_at` ends an entry's life, and `gone_at` that of an expired one which may still be served while it is loaded anew.
 * - `expiry_bucket` counts five minutes. Rewriting a hot entry must not touch an index, so expiry is indexed coarsely: an update that
 *   stays in its bucket is a heap-only one (measured: none of them with an index on the timestamp, 85 % with a bucket).
 * - `accessed`, in seconds since 2020, is when the entry was last written or read, to the half minute.
 */
function createEntries(s: string, family: Family): string[] {
  const table = entryTable(s, family)
  return [
    /* sql */ `create ${family.logged ? '' : 'unlogged '}table ${table} (
      namespace integer not null,
      key text collate "C" not null,
      version bigint not null,
      expires_at timestamptz,
      gone_at timestamptz,
      expiry_bucket integer,
      accessed integer not null,
      bytes integer not null,
      value text,
      bin bytea,
      sliding bigint,
      lease bigint,
      lease_until timestamptz,
      tags bigint[],
      tag_sum numeric,
      original text,
      primary key (namespace, key)
    ) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)`,
    /* sql */ `alter table ${table} alter column bin set storage external`,
    /* sql */ `create index cache_entry${family.suffix}_expiry on ${table} (expiry_bucket)
      where expiry_bucket is not null`,
  ]
}

export function dropTables(s: string): string[] {
  return [
    ...FAMILIES.map((family) => `drop table ${entryTable(s, family)}`),
    `drop table ${s}.cache_tag`,
    `drop table ${s}.cache_garbage`,
    `drop table ${s}.cache_namespace`,
    `drop sequence ${s}.cache_namespace_id`,
    `drop sequence ${s}.cache_version`,
  ]
}
