import type { MigrationSet } from '@howdah/core'
import { channels } from './0001-channel.js'
import { streams } from './0002-streams.js'
import { groups } from './0003-groups.js'
import { presence } from './0004-presence.js'
import { socketIoSession } from './0005-socket-io-session.js'
import { watch } from './0006-watch.js'
import { stats } from './0007-stats.js'

/** Tables of `@howdah/pubsub`, for `db.migrator` and for the DBA who wants to see the SQL first. */
export const migrations: MigrationSet = {
  package: 'pubsub',
  migrations: [channels, streams, groups, presence, socketIoSession, watch, stats],
}
