import { defineStatement, type Statement } from '@howdah/core'

/** Removes sessions whose time is over, and servers that are gone for as long. */
export const expireSocketIoSessions: (schema: string, maxAgeMs: number) => Statement =
  defineStatement(
    'socket-io.expire',
    (s) => /* sql */ `
      with gone as (
        delete from ${s}.socket_io_server v
        where v.seen_at <= statement_timestamp() - $1::float8 * interval '1 ms'
      )
      delete from ${s}.socket_io_session o
      where coalesce(o.closed_at, (select v.seen_at from ${s}.socket_io_server v where v.id = o.server), '-infinity')
        <= statement_timestamp() - $1::float8 * interval '1 ms'`,
    (maxAgeMs) => [maxAgeMs],
  )
