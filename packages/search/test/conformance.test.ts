import { searchConformance, type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, it, vi } from 'vitest'
import { installExtension, subjectOf } from './conformance-support.js'

// Texts of a megabyte take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let database: TestDatabase
let pools: [Pool, Pool]
beforeAll(async () => {
  database = await testDatabase()
  pools = [database.pool(), database.pool()]
})
afterAll(() => database.close())

describe.each(['native', 'tsvector'] as const)('the engine %s', (engine) => {
  searchConformance({ describe, it }, () => subjectOf(pools[0], pools, engine))
})

describe.each(['pg_textsearch', 'pg_search'] as const)('the engine %s', (engine) => {
  let there: Promise<boolean> | undefined
  const skipping = {
    describe,
    it: (name: string, body: () => Promise<void>) =>
      it(name, async ({ skip }) => {
        there ??= installExtension(pools[0], engine)
        if (!(await there)) skip()
        await body()
      }),
  }
  searchConformance(skipping, () => subjectOf(pools[0], pools, engine))
})
