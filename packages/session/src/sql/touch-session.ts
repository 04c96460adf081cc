import { defineStatement, type Statement } from '@howdah/core'

/** Arguments of {@link touchSession}. */
export interface TouchSession {
  readonly idHash: string
  /** Milliseconds from now, used when `expiresAt` is null. */
  readonly ttl: number
  /** Milliseconds since the epoch, or null. */
  readonly expiresAt: number | null
}

/**
 * Extends one live session, and writes only where its end moves by a tenth of its remaining life or more: a page that
 * loads forty images costs one write, not forty. Answers whether the session is live.
 */
export const touchSession: (schema: string, touch: TouchSession) => Statement<{ live: boolean }> =
  defineStatement(
    'session.touch',
    (s) => /* sql */ `
      with due as (
        select coalesce(
          to_timestamp($3::double precision / 1000),
          clock_timestamp() + $2::double precision * interval '1 ms') as at
      ), moved as (
        update ${s}.session kept
        set expires_at = due.at, touched = true,
          expires_hour = floor(extract(epoch from due.at) / 3600)::int
        from due
        where kept.id_hash = decode($1::text, 'hex') and kept.data is not null
          and kept.expires_at > clock_timestamp()
          and abs(extract(epoch from due.at - kept.expires_at))
            >= 0.1 * abs(extract(epoch from due.at - clock_timestamp()))
      )
      select exists (
        select from ${s}.session
        where id_hash = decode($1::text, 'hex') and data is not null
          and expires_at > clock_timestamp()
      ) as live`,
    ({ idHash, ttl, expiresAt }) => [idHash, ttl, expiresAt],
  )
