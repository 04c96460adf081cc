import type { MigrationSet } from '../migrator/migration.js'
import { hubTables } from './0001-hub.js'

/** The tables that core itself keeps. */
export const coreMigrations: MigrationSet = { package: 'core', migrations: [hubTables] }
