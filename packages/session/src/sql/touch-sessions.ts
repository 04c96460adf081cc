import { defineStatement, type Statement } from '@howdah/core'
import { few, joined, joinedNumbers, numbers, rows, texts } from './lists.js'
import { end, hour, ms } from './time.js'
import type { Rules } from './write-sessions.js'

/** A session to be prolonged. */
export interface Touch {
  readonly hash: string
  /** Milliseconds from now, or null where `expiresAt` counts. */
  readonly ttl: number | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | null
}

/**
 * Prolongs live sessions, and writes only where the end moves by a part of the life that is left then: a page that loads forty images costs one write, not
 * forty. Answers when each ends, in the order asked for; `x` where it is not live.
 */
export const touchSessions: (
  schema: string,
  rules: Rules,
  part: number,
  touches: readonly Touch[],
) => Statement<{ readonly ends: string | null }> = defineStatement(
  'session.touch',
  (s) => /* sql */ `
    with asked as materialized (
      select i.n, i.name, l.id_hash, l.expires_at, ${end({ ttl: 'i.ttl', at: 'i.at', created: 'l.created_at', longest: '$5' })} as due
      from ${few(`${rows(texts('$2'), numbers('$3', 'float8'), numbers('$4', 'float8'))} with ordinality as l(hash, ttl, at, n)`)} i
      left join lateral (
        select s.id_hash, s.expires_at, s.created_at from ${s}.session s
        where s.name = i.name and s.id_hash = decode(i.hash, 'hex'::text) and s.expires_at > statement_timestamp()
        offset 0
      ) l on true
    ), moved as (
      update ${s}.session s set expires_at = a.due, expires_hour = ${hour('a.due')}, seen_at = statement_timestamp()
      from asked a
      where $7::bool and s.name = a.name and s.id_hash = a.id_hash and s.expires_at > statement_timestamp()
        and abs(pg_catalog.date_part('epoch'::text, a.due - s.expires_at))
          >= $6::float8 * abs(pg_catalog.date_part('epoch'::text, a.due - statement_timestamp()))
      returning s.id_hash, ${ms('s.expires_at')} as ends
    )
    select pg_catalog.string_agg(coalesce(m.ends::text, ${ms('a.expires_at')}::text, 'x'::text), ','::text order by a.n) as ends
    from asked a left join moved m on m.id_hash = a.id_hash`,
  (rules, part, touches) => [
    rules.name,
    joined(touches.map((touch) => touch.hash)),
    joinedNumbers(touches.map((touch) => touch.ttl)),
    joinedNumbers(touches.map((touch) => touch.expiresAt)),
    rules.longest,
    part,
    rules.rolling,
  ],
)
