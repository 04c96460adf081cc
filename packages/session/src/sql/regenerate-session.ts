import { defineStatement, type Statement } from '@howdah/core'
import { end, hour, micros, NOW } from './time.js'
import { type Rules, type SessionWrite, type WrittenRow, written } from './write-sessions.js'

/** Ends a session and begins another in its place, in one statement: there is no moment with both, and none without either. Answers nothing where it is not live. */
export const regenerateSession: (
  schema: string,
  rules: Rules,
  old: string,
  write: SessionWrite,
) => Statement<WrittenRow> = defineStatement(
  'session.regenerate',
  (s) => /* sql */ `
    with ended as (
      delete from ${s}.session s
      where s.name = $1::text and s.id_hash = decode($2::text, 'hex'::text) and s.expires_at > statement_timestamp()
      returning s.address, s.user_agent, s.label
    )
    insert into ${s}.session as k (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id, address, user_agent, label)
    select $1::text, decode($3::text, 'hex'::text), ${micros('pg_catalog.clock_timestamp()')}, ${hour('d.at')},
      statement_timestamp(), statement_timestamp(), d.at, $4::text, $7::text,
      coalesce($9::text, e.address), coalesce($10::text, e.user_agent), coalesce($11::text, e.label)
    from ended e
    cross join (select ${end({ ttl: '$5::float8', at: '$6::float8', created: 'statement_timestamp()', longest: '$8' })} as at) d
    returning ${written('k')} as written, ${NOW}`,
  (rules, old, { hash, data, ttl, expiresAt, user, device }) => [
    rules.name,
    old,
    hash,
    data,
    ttl,
    expiresAt,
    user,
    rules.longest,
    device?.address ?? null,
    device?.userAgent ?? null,
    device?.label ?? null,
  ],
)
