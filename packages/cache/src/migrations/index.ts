import type { MigrationSet } from '@howdah/core'
import { initial } from './0001-initial.js'
import { materialized } from './materialized.js'
import { stats } from './stats.js'

/** The tables of `@howdah/cache`, step by step. */
export const migrations: MigrationSet = {
  package: 'cache',
  migrations: [initial, materialized, stats],
}
