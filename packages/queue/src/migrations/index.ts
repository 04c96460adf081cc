import type { MigrationSet } from '@howdah/core'
import { initial } from './0001-initial.js'
import { schedules } from './0002-schedules.js'
import { stats } from './0003-stats.js'

/** The tables of `@howdah/queue`, step by step. */
export const migrations: MigrationSet = {
  package: 'queue',
  migrations: [initial, schedules, stats],
}
