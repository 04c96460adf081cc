import { defineStatement, type Statement } from '@howdah/core'

/** Removes sessions that a server holds. */
export const dropSocketIoSessions: (
  schema: string,
  server: string,
  pids: readonly string[],
) => Statement = defineStatement(
  'socket-io.drop',
  (s) => /* sql */ `
    delete from ${s}.socket_io_session where server = $1::text and pid = any ($2::text[])`,
  (server, pids) => [server, pids],
)
