import { SearchIndex, type SearchResult } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askedOf, COLUMNS, insertNotes, notesOf, OPTIONS, wordsOf } from './tenant-data.js'

const role = `search_tenants_${process.pid}_${Date.now()}`
/** More rows than a search looks at each of, and fewer. */
const SIZES = { large: 2600, tiny: 300 }
const TENANTS = Object.keys(SIZES) as (keyof typeof SIZES)[]
/** Whose rows are in one of the tables only. */
const OTHERS = { intruder: 3500, zealot: 400 }

let database: TestDatabase
let owner: Pool
const opened: SearchIndex[] = []

beforeAll(async () => {
  database = await testDatabase()
  owner = database.pool()
  await owner.query(`create role ${role} login`)
  await owner.query(`grant usage on schema public to ${role}`)
  for (const table of ['alone', 'shared']) {
    await owner.query(`create table ${table} ${COLUMNS}`)
    await owner.query(`alter table ${table} enable row level security`)
    await owner.query(
      `create policy own on ${table} using (tenant_id = current_setting('app.tenant', true))`,
    )
    await owner.query(`grant select on ${table} to ${role}`)
  }
  const own = TENANTS.flatMap((tenant, at) => notesOf(tenant, 1 + at * 10_000, SIZES[tenant]))
  const others = Object.entries(OTHERS).flatMap(([tenant, count], at) =>
    notesOf(tenant, 100_000 + at * 10_000, count),
  )
  const nobodys = notesOf('nobody', 200_000, 50).map((note) => ({ ...note, tenant_id: null }))
  // Half of it is there before the index, and half of it comes after; the others' rows lie between.
  const all = [...own, ...others, ...nobodys].sort((a, b) => (a.id % 997) - (b.id % 997))
  const foreign = new Set([...others, ...nobodys].map(({ id }) => id))
  for (const half of [0, 1]) {
    const part = all.filter((_, at) => at % 2 === half)
    await insertNotes(owner, 'shared', part)
    await insertNotes(
      owner,
      'alone',
      part.filter(({ id }) => !foreign.has(id)),
    )
    if (half === 0)
      for (const table of ['alone', 'shared']) await indexOf(owner, table, 'rows').attach()
  }
  for (const table of ['alone', 'shared']) {
    await owner.query(`update ${table} set body = body || ' ' || title where id % 7 = 0`)
    await owner.query(`delete from ${table} where id % 11 = 0`)
    await indexOf(owner, table, 'rows').maintain()
    // Some stay in no segment.
    await insertNotes(
      owner,
      table,
      TENANTS.flatMap((tenant, at) => notesOf(tenant, 50_000 + at * 1000, 60)),
    )
  }
  await insertNotes(owner, 'shared', notesOf('intruder', 150_000, 90))
  for (const table of ['alone', 'shared']) {
    // The words of what came last are counted, and its rows are not moved.
    const { rows } = await owner.query(
      'select g.vocabulary from howdah.search_generation g join howdah.search_index i on i.id = g.index_id where i.name = $1',
      [table],
    )
    await owner.query('select howdah.search_fold($1, 2000, 100000)', [rows[0].vocabulary])
  }
  await owner.query(`grant usage on schema howdah to ${role}`)
  await owner.query(`grant select on all tables in schema howdah to ${role}`)
}, 120_000)
afterAll(async () => {
  for (const index of opened) await index.close()
  await owner.query(`drop owned by ${role}`)
  await owner.query(`drop role ${role}`)
  await database.close()
})

function indexOf(pool: Pool, table: string, policies: 'tenant' | 'rows'): SearchIndex {
  const tenant = { column: 'tenant_id', policies }
  const index = new SearchIndex(table, { ...OPTIONS, pool, table, tenant })
  opened.push(index)
  return index
}

function poolOf(tenant: string): Pool {
  return database.pool({ max: 2, options: `-c role=${role} -c app.tenant=${tenant}` })
}

for (const tenant of TENANTS) {
  for (const who of ['owner', 'rows', 'tenant'] as const) {
    test(`what the ${tenant} tenant is told does not depend on others' rows, for ${who}`, async () => {
      const pool = who === 'owner' ? owner : poolOf(tenant)
      const policies = who === 'rows' ? 'rows' : 'tenant'
      const [alone, shared] = ['alone', 'shared'].map((table) => indexOf(pool, table, policies))
      if (alone === undefined || shared === undefined) throw new Error('no index')
      const counted = { hits: 0, corrections: 0, completions: 0 }
      await fc.assert(
        fc.asyncProperty(askedOf([tenant, 'intruder']), async ({ query, options }) => {
          // A cursor is of the index that it was made by.
          const told = ({ next, ...found }: SearchResult<unknown>) =>
            JSON.stringify({ ...found, more: next !== undefined })
          const expected = await alone.search(query, { ...options, tenant })
          const found = await shared.search(query, { ...options, tenant })
          expect(told(found)).toBe(told(expected))
          counted.hits += found.hits.length
          counted.corrections += found.understood.length
          for (const { row } of found.hits) expect(row['tenant_id']).toBe(tenant)
        }),
        { numRuns: 25, seed: 11 },
      )
      for (const word of [...wordsOf(tenant), ...wordsOf('intruder')].filter(
        (_, at) => at % 30 === 0,
      )) {
        for (const typed of [
          word.slice(0, 1),
          word.slice(0, 3),
          `${word.slice(0, 3)}x${word.slice(3)}`,
        ]) {
          const expected = await alone.suggest(typed, { tenant })
          counted.completions += expected.length
          expect(await shared.suggest(typed, { tenant })).toEqual(expected)
        }
      }
      expect(counted.hits).toBeGreaterThan(10)
      // Words are told of whole tenants only.
      expect(counted.corrections > 2).toBe(who !== 'rows')
      expect(counted.completions > 20).toBe(who !== 'rows')
    }, 60_000)
  }
}
