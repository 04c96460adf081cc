import type { MigrationSet } from '@howdah/core'
import { presence } from './0003-presence.js'

/** Tables of `@howdah/pubsub`, for `db.migrator` and for the DBA who wants to see the SQL first. */
export const migrations: MigrationSet = { package: 'pubsub', migrations: [presence] }
