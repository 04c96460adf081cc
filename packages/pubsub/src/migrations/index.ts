import type { MigrationSet } from '@howdah/core'
import { streams } from './0002-streams.js'

/** The tables of `@howdah/pubsub`, step by step. */
export const migrations: MigrationSet = { package: 'pubsub', migrations: [streams] }
