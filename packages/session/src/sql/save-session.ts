import { defineStatement, type Statement } from '@howdah/core'

/** Arguments of {@link saveSession}. */
export interface SaveSession {
  readonly idHash: string
  readonly data: string
  /** Milliseconds from now, used when `expiresAt` is null. */
  readonly ttl: number
  /** Milliseconds since the epoch, or null. */
  readonly expiresAt: number | null
  /** Writes over a tombstone, too. */
  readonly revive: boolean
}

/**
 * Writes one session and answers a row, or none where the session has been destroyed. The condition is checked on the row
 * as it is once a concurrent destroy has committed, so the order in which the two arrive does not matter.
 */
export const saveSession: (schema: string, save: SaveSession) => Statement<{ saved: boolean }> =
  defineStatement(
    'session.save',
    (s) => /* sql */ `
      insert into ${s}.session as kept (id_hash, data, expires_at, expires_hour, touched)
      select decode($1::text, 'hex'), $2::text, due.at,
        floor(extract(epoch from due.at) / 3600)::int, false
      from (
        select coalesce(
          to_timestamp($4::double precision / 1000),
          clock_timestamp() + $3::double precision * interval '1 ms') as at
      ) due
      on conflict (id_hash) do update
      set data = excluded.data, expires_at = excluded.expires_at,
        expires_hour = excluded.expires_hour, touched = false
      where $5::boolean or kept.data is not null or kept.expires_at <= clock_timestamp()
      returning true as saved`,
    ({ idHash, data, ttl, expiresAt, revive }) => [idHash, data, ttl, expiresAt, revive],
  )
