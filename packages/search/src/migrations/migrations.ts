import type { MigrationSet } from '@howdah/core'
import { initial } from './0001-initial.js'
import { vocabulary } from './0002-vocabulary.js'
import { rules } from './0003-rules.js'
import { operations } from './0004-operations.js'

/** Tables and functions of `@howdah/search`, for `db.migrator` and for the DBA who wants to see the SQL first. */
export const migrations: MigrationSet = {
  package: 'search',
  migrations: [initial, vocabulary, rules, operations],
}
