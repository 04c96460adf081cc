import type { MigrationSet } from '@howdah/core'
import { streams } from './0002-streams.js'
import { socketIoSession } from './0005-socket-io-session.js'

/** The tables of `@howdah/pubsub`, step by step. */
export const migrations: MigrationSet = {
  package: 'pubsub',
  migrations: [streams, socketIoSession],
}
