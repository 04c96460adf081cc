import type { Migration } from '@howdah/core'

/**
 * Sessions of Socket.IO clients, for servers with connection state recovery.
 *
 * - `socket_io_server`: when a server was last there, by the database's clock.
 * - `socket_io_session`: what a client's socket had, under the id that only this client knows. It is held by one server, the only one that may
 *   write it; another takes it over when the client comes to it. `closed_at` is null while the client is connected: where its server
 *   was killed, the session ends with it.
 *
 * Neither survives a crash of PostgreSQL; clients then begin a new session, which they must be able to at any time.
 */
export const socketIoSession: Migration = {
  version: 5,
  name: 'socket-io-session',
  up: (s) => [
    /* sql */ `create unlogged table ${s}.socket_io_server (
      id text collate "C" primary key,
      seen_at timestamptz not null
    )`,
    /* sql */ `create unlogged table ${s}.socket_io_session (
      pid text collate "C" primary key,
      namespace text collate "C" not null,
      server text collate "C" not null,
      closed_at timestamptz,
      session text not null
    )`,
  ],
  down: (s) => [`drop table ${s}.socket_io_session`, `drop table ${s}.socket_io_server`],
}
