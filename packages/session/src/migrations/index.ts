import type { MigrationSet } from '@howdah/core'
import { initial } from './0001-initial.js'
import { stats } from './0002-stats.js'

/** Tables of `@howdah/session`, for `db.migrator` and for the DBA who wants to see the SQL first. */
export const migrations: MigrationSet = { package: 'session', migrations: [initial, stats] }
