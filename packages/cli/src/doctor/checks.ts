import type { Check } from './check.js'
import { autovacuum } from './checks/autovacuum.js'
import { clock } from './checks/clock.js'
import { durability } from './checks/durability.js'
import { extensions } from './checks/extensions.js'
import { indexes } from './checks/indexes.js'
import { listening } from './checks/listening.js'
import { notificationQueue } from './checks/notification-queue.js'
import { plans } from './checks/plans.js'
import { pooler } from './checks/pooler.js'
import { preparedStatements } from './checks/prepared-statements.js'
import { roleRights } from './checks/role-rights.js'
import { schemaVersions } from './checks/schema-versions.js'
import { searchIndexes } from './checks/search-indexes.js'
import { serverVersion } from './checks/server-version.js'
import { snapshotHorizon } from './checks/snapshot-horizon.js'
import { unloggedStandby } from './checks/unlogged-standby.js'

/** What `howdah doctor` looks at, in the order in which it tells. */
export const CHECKS: readonly Check[] = [
  serverVersion,
  roleRights,
  schemaVersions,
  indexes,
  pooler,
  preparedStatements,
  listening,
  unloggedStandby,
  durability,
  autovacuum,
  snapshotHorizon,
  notificationQueue,
  clock,
  extensions,
  searchIndexes,
  plans,
]
