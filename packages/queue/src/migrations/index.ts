import type { MigrationSet } from '@howdah/core'
import { initial } from './0001-initial.js'
import { schedules } from './0002-schedules.js'

/** The tables of `@howdah/queue`, step by step. */
export const migrations: MigrationSet = { package: 'queue', migrations: [initial, schedules] }
