import { defineStatement, type Statement } from '@howdah/core'
import type { DeviceColumns } from '../device.js'
import { few, joined, joinedNumbers, numbers, rows, texts } from './lists.js'
import { end, hour, micros, ms, NOW } from './time.js'

/** What a write makes of a session. */
export interface SessionWrite {
  readonly hash: string
  /** JSON, or what is sealed. */
  readonly data: string
  readonly user: string | null
  /** Milliseconds from now, or null where `expiresAt` counts. */
  readonly ttl: number | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | null
  /** Kept where it is null. */
  readonly device: DeviceColumns | null
}

/** What is answered of sessions that were written, each joined by spaces: hash, version, end, beginning. */
export interface WrittenRow {
  readonly written: string | null
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What all sessions of a name have in common. */
export interface Rules {
  readonly name: string
  /** The longest life of a session, in milliseconds. */
  readonly longest: number | null
  /** Whether saves and touches prolong it. */
  readonly rolling: boolean
}

/** Parameters that both kinds of writes have: hashes, data, times to live, ends and users. */
const COLUMNS = [
  texts('$2'),
  texts('$3'),
  numbers('$4', 'float8'),
  numbers('$5', 'float8'),
  '$6::text[]',
]

/** One session as {@link WrittenRow} has it. */
export const written = (s: string): string =>
  `encode(${s}.id_hash, 'hex'::text) || ' '::text || ${s}.version || ' '::text || ${ms(`${s}.expires_at`)} || ' '::text || ${micros(`${s}.created_at`)}`

/** Writes sessions as a whole, whatever was there. */
export const putSessions: (
  schema: string,
  rules: Rules,
  writes: readonly SessionWrite[],
) => Statement<WrittenRow> = defineStatement(
  'session.put',
  (s) => {
    const live = `k.expires_at > statement_timestamp()`
    const kept = (column: string) =>
      `${column} = case when ${live} then coalesce(excluded.${column}, k.${column}) else excluded.${column} end`
    // What replaces a live session belongs to the same life.
    const ends = `case when ${live} then least(excluded.expires_at, k.created_at + $10::float8 * interval '1 ms') else excluded.expires_at end`
    return /* sql */ `
    with written as (
      insert into ${s}.session as k (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id, address, user_agent, label)
      select $1::text, decode(i.hash, 'hex'::text), ${micros('pg_catalog.clock_timestamp()')}, ${hour('d.at')},
        statement_timestamp(), statement_timestamp(), d.at, i.data, i.user_id, i.address, i.user_agent, i.label
      from ${rows(...COLUMNS, '$7::text[]', '$8::text[]', '$9::text[]')} as i(hash, data, ttl, at, user_id, address, user_agent, label)
      cross join lateral (select ${end({ ttl: 'i.ttl', at: 'i.at', created: 'statement_timestamp()', longest: '$10' })} as at) d
      on conflict (name, id_hash) do update set
        version = greatest(k.version + 1, excluded.version), data = excluded.data, user_id = excluded.user_id,
        created_at = case when ${live} then k.created_at else excluded.created_at end, seen_at = excluded.seen_at,
        expires_at = ${ends}, expires_hour = ${hour(ends)}, ${['address', 'user_agent', 'label'].map(kept).join(', ')}
      returning ${written('k')} as written
    )
    select pg_catalog.string_agg(w.written, ','::text) as written, ${NOW} from written w`
  },
  (rules, writes) => {
    const devices = writes.some((write) => write.device !== null)
    const column = (name: keyof DeviceColumns) =>
      devices ? writes.map((write) => write.device?.[name] ?? null) : null
    return [
      rules.name,
      ...columns(writes),
      column('address'),
      column('userAgent'),
      column('label'),
      rules.longest,
    ]
  },
)

/** Writes those sessions that are live and have still the version expected of them. */
export const saveSessions: (
  schema: string,
  rules: Rules,
  writes: readonly SessionWrite[],
  versions: readonly number[],
) => Statement<WrittenRow> = defineStatement(
  'session.save',
  (s) => {
    const ends = `case when $8::bool then ${end({ ttl: 'i.ttl', at: 'i.at', created: 's.created_at', longest: '$7' })} else s.expires_at end`
    return /* sql */ `
    with written as (
      update ${s}.session s set
        version = s.version + 1, data = i.data, user_id = i.user_id, seen_at = statement_timestamp(),
        expires_at = ${ends}, expires_hour = ${hour(ends)}
      from ${few(`${rows(...COLUMNS, numbers('$9', 'bigint'))} as l(hash, data, ttl, at, user_id, version)`)} i
      where s.name = i.name and s.id_hash = decode(i.hash, 'hex'::text) and s.version = i.version and s.expires_at > statement_timestamp()
      returning ${written('s')} as written
    )
    select pg_catalog.string_agg(w.written, ','::text) as written, ${NOW} from written w`
  },
  (rules, writes, versions) => [
    rules.name,
    ...columns(writes),
    rules.longest,
    rules.rolling,
    joinedNumbers(versions),
  ],
)

function columns(writes: readonly SessionWrite[]): unknown[] {
  return [
    joined(writes.map((write) => write.hash)),
    joined(writes.map((write) => write.data)),
    joinedNumbers(writes.map((write) => write.ttl)),
    joinedNumbers(writes.map((write) => write.expiresAt)),
    writes.map((write) => write.user),
  ]
}
