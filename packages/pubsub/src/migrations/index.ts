import type { MigrationSet } from '@howdah/core'
import { streams } from './0002-streams.js'
import { watch } from './0004-watch.js'

/** The tables of `@howdah/pubsub`, step by step. */
export const migrations: MigrationSet = { package: 'pubsub', migrations: [streams, watch] }
