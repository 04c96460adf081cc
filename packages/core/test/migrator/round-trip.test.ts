import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '../../src/index.js'
import { describeSchema, ledger } from './catalog.js'
import { notes, tags, upTo } from './sets.js'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

test('down() to 0 and up() leave the catalog as it was before each', async () => {
  const db = Database.from(pool, { schema: 'trip' })
  await db.migrator.up([upTo(notes, 0)])
  await db.migrator.up([tags])
  const before = await describeSchema(pool, 'trip')
  await db.migrator.up([notes])
  const after = await describeSchema(pool, 'trip')
  expect(after.length).toBeGreaterThan(before.length)
  await db.migrator.down(notes, { to: 0 })
  expect(await describeSchema(pool, 'trip')).toEqual(before)
  await db.migrator.up([notes])
  expect(await describeSchema(pool, 'trip')).toEqual(after)
  await db.close()
})

test('any sequence of up() and down() leaves what a direct way to the same versions leaves', async () => {
  const move = fc.oneof(
    fc.record({ set: fc.constantFrom(notes, tags), up: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ set: fc.constantFrom(notes, tags), down: fc.nat({ max: 3 }) }),
  )
  /** The schema as made in one go, by the versions of both packages. */
  const references = new Map<string, readonly string[]>()
  let schemas = 0
  const reference = async (versions: Readonly<Record<string, number>>) => {
    const key = JSON.stringify(versions)
    let catalog = references.get(key)
    if (catalog === undefined) {
      // The same name, so that definitions read the same.
      await pool.query('drop schema if exists sequence cascade')
      const db = Database.from(pool, { schema: 'sequence' })
      await db.migrator.up([upTo(notes, 1)])
      await db.migrator.down(upTo(notes, 1), { to: 0 })
      await db.migrator.up([upTo(notes, versions['notes'] ?? 0), upTo(tags, versions['tags'] ?? 0)])
      catalog = await describeSchema(pool, 'sequence')
      await db.close()
      references.set(key, catalog)
    }
    return catalog
  }
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 8 }), async (moves) => {
      schemas++
      await pool.query('drop schema if exists sequence cascade')
      const db = Database.from(pool, { schema: 'sequence' })
      const versions: Record<string, number> = { notes: 0, tags: 0 }
      for (const { set, ...way } of moves) {
        const latest = set.migrations.length
        const current = versions[set.package] ?? 0
        if ('up' in way) {
          const to = Math.min(way.up, latest)
          await db.migrator.up([upTo(set, to)])
          versions[set.package] = Math.max(current, to)
        } else {
          const to = Math.min(way.down, latest)
          await db.migrator.down(set, { to })
          versions[set.package] = Math.min(current, to)
        }
      }
      const applied = [notes, tags].flatMap((set) =>
        upTo(set, versions[set.package] ?? 0).migrations.map(
          ({ version, name }) => `${set.package} ${version} ${name}`,
        ),
      )
      const made = await describeSchema(pool, 'sequence')
      // Until the first step there is nothing, not even a ledger.
      if (made.length > 0) {
        expect(await ledger(pool, 'sequence')).toEqual(applied)
        await db.close()
        expect(made).toEqual(await reference(versions))
      } else {
        expect(applied).toEqual([])
        await db.close()
      }
    }),
    { numRuns: 25 },
  )
  expect(schemas).toBeGreaterThanOrEqual(25)
}, 90_000)
