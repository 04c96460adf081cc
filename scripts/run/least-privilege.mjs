import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CommandError } from './errors.mjs'
import { runTests } from './test.mjs'
import { root } from './workspace.mjs'

/** @typedef {import('./test.mjs').Counts} Counts */

// What runs as the role of docs/security.md in every check: of each package the files that between them run every statement its processes make in
// normal life. Left out are faults, crashes and models, which need minutes and make no statement of their own.
// HOWDAH_TEST_ROLE=least npm test -- packages/<name>/test runs all.

/** Under a role that creates nothing. */
const LEAST = [
  'packages/cache/test/load.test.ts',
  'packages/cache/test/near.test.ts',
  'packages/cache/test/sql-api.test.ts',
  'packages/cache/test/sweep.test.ts',
  'packages/cache/test/tags.test.ts',
  'packages/pubsub/test/channel.test.ts',
  'packages/pubsub/test/groups.test.ts',
  'packages/pubsub/test/presence.test.ts',
  'packages/pubsub/test/socket-io-recovery.test.ts',
  'packages/pubsub/test/spill.test.ts',
  'packages/pubsub/test/streams.test.ts',
  'packages/queue/test/flows.test.ts',
  'packages/queue/test/keys.test.ts',
  'packages/queue/test/limits.test.ts',
  'packages/queue/test/operations.test.ts',
  'packages/queue/test/schedules.test.ts',
  'packages/queue/test/working.test.ts',
  'packages/session/test/express.test.ts',
  'packages/session/test/sessions.test.ts',
  'packages/session/test/users.test.ts',
]

/** Under one that may also create in Howdah's schema: search indexes, watches, materialised queries. */
const LEAST_CREATE = [
  'packages/cache/test/materialized.test.ts',
  'packages/pubsub/test/watch.test.ts',
  'packages/search/test/attach.test.ts',
  'packages/search/test/search.test.ts',
  'packages/search/test/understanding.test.ts',
]

/** Runs both, and adds up what they counted. */
export async function testsUnderLeastPrivilege() {
  const gone = [...LEAST, ...LEAST_CREATE].filter((file) => !existsSync(join(root, file)))
  if (gone.length > 0) throw new CommandError(`There is no ${gone.join(', ')} to run.`)
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const [role, files] of Object.entries({ least: LEAST, 'least-create': LEAST_CREATE })) {
    const { code, counts } = await runTests(files, { HOWDAH_TEST_ROLE: role })
    total.passed += counts?.passed ?? 0
    total.failed += counts?.failed ?? (code === 0 ? 0 : 1)
    total.skipped += counts?.skipped ?? 0
  }
  return total
}
