import { defineStatement, type Statement } from '@howdah/core'

/**
 * Makes a server the holder of a session, if the client left it, or another server had it that was there within the time. One that the server itself
 * has open is not taken.
 */
export const takeSocketIoSession: (
  schema: string,
  server: string,
  pid: string,
  namespace: string,
  maxAgeMs: number,
) => Statement<{ session: string }> = defineStatement(
  'socket-io.take',
  (s) => /* sql */ `
    update ${s}.socket_io_session o set server = $1::text, closed_at = null
    where o.pid = $2::text and o.namespace = $3::text and (o.closed_at is not null or o.server <> $1::text)
      and coalesce(o.closed_at, (select v.seen_at from ${s}.socket_io_server v where v.id = o.server))
        > statement_timestamp() - $4::float8 * interval '1 ms'
    returning o.session`,
  (server, pid, namespace, maxAgeMs) => [server, pid, namespace, maxAgeMs],
)
