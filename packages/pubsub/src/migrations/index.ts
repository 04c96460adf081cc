import type { MigrationSet } from '@howdah/core'
import { streams } from './0002-streams.js'
import { groups } from './0003-groups.js'

/** The tables of `@howdah/pubsub`, step by step. */
export const migrations: MigrationSet = { package: 'pubsub', migrations: [streams, groups] }
