import type { MigrationSet } from '../migrator/migration.js'
import { hubTables } from './0001-hub.js'
import { hubTell } from './0002-hub-tell.js'
import { hubAlive } from './0003-hub-alive.js'
import { hubPost } from './0004-hub-post.js'
import { queryStats } from './0005-query-stats.js'

/** The tables that core itself keeps. */
export const coreMigrations: MigrationSet = {
  package: 'core',
  migrations: [hubTables, hubTell, hubAlive, hubPost, queryStats],
}
