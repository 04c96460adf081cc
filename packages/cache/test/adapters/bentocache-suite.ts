// The suite bentocache publishes for drivers, over ours.
import { howdahBentoDriver } from '@howdah/cache/bentocache'
import { test } from '@japa/runner'
import { registerCacheDriverTestSuite } from 'bentocache/test_suite'
import { Pool } from 'pg'

test.group('howdahBentoDriver', (group) => {
  const pool = new Pool({ connectionString: process.env['TEST_DATABASE_URL'] })
  registerCacheDriverTestSuite({
    test,
    group,
    supportsMilliseconds: true,
    createDriver: (options) => {
      const { options: own, factory } = howdahBentoDriver({ pool })
      return factory({ ...own, ...options })
    },
  })
  group.teardown(() => pool.end())
})
