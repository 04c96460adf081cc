import type { MigrationSet } from '@howdah/core'
import { channels } from './0001-channel.js'

/** The tables of `@howdah/pubsub`, step by step. */
export const migrations: MigrationSet = { package: 'pubsub', migrations: [channels] }
