import { defineStatement, type Statement } from '@howdah/core'

/** Saves sessions that a server holds, or that nobody has saved yet. Those taken over by another server stay as they are. */
export const saveSocketIoSessions: (
  schema: string,
  server: string,
  pids: readonly string[],
  namespaces: readonly string[],
  sessions: readonly string[],
  closed: readonly boolean[],
) => Statement = defineStatement(
  'socket-io.save',
  (s) => /* sql */ `
    insert into ${s}.socket_io_session as o (pid, namespace, server, session, closed_at)
    select n.pid, n.namespace, $1::text, n.session, case when n.closed then statement_timestamp() end
    from unnest($2::text[], $3::text[], $4::text[], $5::boolean[]) as n(pid, namespace, session, closed)
    order by n.pid
    on conflict (pid) do update set session = excluded.session, closed_at = excluded.closed_at
    where o.server = excluded.server and o.namespace = excluded.namespace`,
  (server, pids, namespaces, sessions, closed) => [server, pids, namespaces, sessions, closed],
)
