import { defineStatement, type Statement } from '@howdah/core'

/** Removes up to `limit` expired sessions and tombstones, passing over rows that another transaction works on. */
export const pruneSessions: (schema: string, limit: number) => Statement<{ n: number }> =
  defineStatement(
    'session.prune',
    (s) => /* sql */ `
      with due as (
        select id_hash from ${s}.session
        where expires_hour <= floor(extract(epoch from now()) / 3600)::int and expires_at <= now()
        order by expires_hour
        limit $1::int
        for update skip locked
      ), gone as (
        delete from ${s}.session kept using due where kept.id_hash = due.id_hash returning 1
      )
      select count(*)::int as n from gone`,
    (limit) => [limit],
  )
