import { defineStatement, type Statement } from '@howdah/core'

/** Notes that a server is there. */
export const seeSocketIoServer: (schema: string, server: string) => Statement = defineStatement(
  'socket-io.see',
  (s) => /* sql */ `
    insert into ${s}.socket_io_server (id, seen_at) values ($1::text, statement_timestamp())
    on conflict (id) do update set seen_at = excluded.seen_at`,
  (server) => [server],
)
