import { defineStatement, type Statement } from '@howdah/core'
import { few, joined, joinedNumbers, numbers, rows, texts } from './lists.js'
import { end, hour } from './time.js'
import type { Rules, SessionWrite } from './write-sessions.js'

/** A session that was inserted, by its hash and the version it was given. */
export interface Inserted {
  readonly hash: string
  readonly version: string
}

/**
 * Inserts sessions where there is none of that id, or one that has expired, and lets them live for `most` milliseconds until they are confirmed: until then their version is
 * negative. Answers those it inserted, and those that were inserted before and not confirmed, which stay as they are.
 */
export const insertSessions: (
  schema: string,
  rules: Rules,
  writes: readonly SessionWrite[],
  most: number,
) => Statement<Inserted> = defineStatement(
  'session.insert',
  (s) => {
    const anew = (column: string) =>
      `${column} = case when k.expires_at > statement_timestamp() then k.${column} else excluded.${column} end`
    return /* sql */ `
    insert into ${s}.session as k (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id)
    select $1::text, decode(i.hash, 'hex'::text), (pg_catalog.date_part('epoch'::text, pg_catalog.clock_timestamp()) * -1000000)::bigint, ${hour('d.at')},
      statement_timestamp(), statement_timestamp(), d.at, i.data, i.user_id
    from ${rows(texts('$2'), texts('$3'), numbers('$4', 'float8'), '$5::text[]')} as i(hash, data, ttl, user_id)
    cross join lateral (select ${end({ ttl: 'least(i.ttl, $6::float8)', at: 'null::float8', created: 'statement_timestamp()', longest: '$7' })} as at) d
    on conflict (name, id_hash) do update set ${COLUMNS.map(anew).join(', ')}
    where k.expires_at <= statement_timestamp() or k.version < 0
    returning encode(k.id_hash, 'hex'::text) as hash, k.version::text as version`
  },
  (rules, writes, most) => [
    rules.name,
    joined(writes.map((write) => write.hash)),
    joined(writes.map((write) => write.data)),
    joinedNumbers(writes.map((write) => write.ttl)),
    writes.map((write) => write.user),
    most,
    rules.longest,
  ],
)

const COLUMNS = [
  'version',
  'expires_hour',
  'created_at',
  'seen_at',
  'expires_at',
  'data',
  'user_id',
  'address',
  'user_agent',
  'label',
]

/** Gives inserted sessions the life they are to have. One that was written since has the life that write gave it. */
export const confirmSessions: (
  schema: string,
  rules: Rules,
  inserted: readonly Inserted[],
  ttls: readonly (number | null)[],
) => Statement = defineStatement(
  'session.confirm',
  (s) => {
    const ends = `greatest(s.expires_at, ${end({ ttl: 'i.ttl', at: 'null::float8', created: 's.created_at', longest: '$5' })})`
    return /* sql */ `
    update ${s}.session s set version = pg_catalog.abs(s.version), expires_at = ${ends}, expires_hour = ${hour(ends)}
    from ${few(`${rows(texts('$2'), numbers('$3', 'bigint'), numbers('$4', 'float8'))} as l(hash, version, ttl)`)} i
    where s.name = i.name and s.id_hash = decode(i.hash, 'hex'::text) and s.version = i.version and s.expires_at > statement_timestamp()`
  },
  (rules, inserted, ttls) => [
    rules.name,
    joined(inserted.map(({ hash }) => hash)),
    inserted.map(({ version }) => version).join(),
    joinedNumbers(ttls),
    rules.longest,
  ],
)
