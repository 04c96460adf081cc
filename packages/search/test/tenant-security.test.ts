import { Database, tenantPolicy } from '@howdah/core'
import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COLUMNS, insertNotes, notesOf, OPTIONS, wordsOf } from './tenant-data.js'

const suffix = `${process.pid}_${Date.now()}`
const reader = `search_reader_${suffix}`
const editor = `search_editor_${suffix}`
/** More rows than a search looks at each of, and fewer. */
const SIZES = { ann: 3000, bob: 3000, cat: 200, dan: 200 }

let database: TestDatabase
let owner: Pool
const opened: SearchIndex[] = []

beforeAll(async () => {
  database = await testDatabase()
  owner = database.pool()
  await owner.query(`create table note ${COLUMNS}`)
  await owner.query('alter table note add draft boolean not null default false')
  for (const [at, [tenant, count]] of Object.entries(SIZES).entries()) {
    await owner.query('insert into note select * from json_populate_recordset(null::note, $1)', [
      JSON.stringify(
        notesOf(tenant, 1 + at * 10_000, count).map((note, n) => ({ ...note, draft: n % 3 === 0 })),
      ),
    ])
  }
  await owner.query('analyze note')
  await indexOf(owner, 'rows').attach()
  await indexOf(owner, 'rows').maintain()
  for (const role of [reader, editor]) {
    await owner.query(`create role ${role} login`)
    await owner.query(`grant usage on schema public, howdah to ${role}`)
    await owner.query(`grant select on note to ${role}`)
    await owner.query(`grant select on all tables in schema howdah to ${role}`)
  }
  await owner.query('alter table note enable row level security')
  await owner.query(
    `create policy own on note using (tenant_id = current_setting('app.tenant', true))`,
  )
  await owner.query(`create policy published on note as restrictive to ${reader} using (not draft)`)
}, 120_000)
afterAll(async () => {
  for (const index of opened) await index.close()
  for (const role of [reader, editor]) {
    await owner.query(`drop owned by ${role}`)
    await owner.query(`drop role ${role}`)
  }
  await database.close()
})

function indexOf(pool: Pool, policies: 'tenant' | 'rows'): SearchIndex {
  const tenant = { column: 'tenant_id', policies }
  const index = new SearchIndex('notes', { ...OPTIONS, pool, table: 'note', tenant })
  opened.push(index)
  return index
}

function poolOf(role: string, tenant: string): Pool {
  return database.pool({ max: 2, options: `-c role=${role} -c app.tenant=${tenant}` })
}

const NOTHING = {
  total: 0,
  hits: [],
  facets: { category: [] },
  next: undefined,
  understood: [],
  didYouMean: undefined,
}

test.each(['tenant', 'rows'] as const)(
  "another's rows are not found, counted or named, with policies by %s",
  async (policies) => {
    for (const role of [reader, editor]) {
      const anns = indexOf(poolOf(role, 'ann'), policies)
      for (const tenant of ['bob', 'dan', 'cat', 'nobody']) {
        const [word = '', another = ''] = wordsOf(tenant)
        for (const query of [
          '',
          word,
          `${word} ${another}`,
          `${word.slice(0, 3)}*`,
          `${word}x`,
          `"${word} ${another}"`,
          `-${word}`,
        ]) {
          for (const options of [
            {},
            { sort: ['price'] },
            { filters: { category: 'red' } },
            { highlight: true as const, prefix: true },
          ]) {
            expect(await anns.search(query, { ...options, facets: ['category'], tenant })).toEqual(
              NOTHING,
            )
          }
        }
        expect(await anns.suggest(word.slice(0, 2), { tenant })).toEqual([])
        expect(await anns.suggest(`${word}x`, { tenant })).toEqual([])
      }
    }
  },
  60_000,
)

test('totals and facets are of the rows that are seen, also where a policy hides some of the tenant', async () => {
  for (const [role, draft] of [
    [reader, 'not draft'],
    [editor, 'true'],
  ] as const) {
    for (const tenant of ['ann', 'cat']) {
      const index = indexOf(poolOf(role, tenant), 'rows')
      const { rows } = await owner.query(
        `select count(*)::int as total, count(*) filter (where category = 'red')::int as red from note where tenant_id = $1 and ${draft}`,
        [tenant],
      )
      const all = await index.search('', { tenant, facets: ['category'] })
      expect(all.total).toBe(rows[0].total)
      expect(all.facets['category']?.find(({ value }) => value === 'red')?.count).toBe(rows[0].red)
      const [word = ''] = wordsOf(tenant)
      const found = await owner.query(
        `select count(*)::int as n from note where tenant_id = $1 and ${draft} and (title || ' ' || body) ~ ('\\m' || $2 || '\\M')`,
        [tenant, word],
      )
      const typed = await index.search(word, { tenant, facets: ['category'] })
      expect(typed.total).toBe(found.rows[0].n)
      expect(typed.facets['category']?.reduce((sum, { count }) => sum + count, 0)).toBe(
        found.rows[0].n,
      )
      expect(await index.suggest(word.slice(0, 2), { tenant })).toEqual([])
      expect((await index.search(`${word}qq`, { tenant })).understood).toEqual([])
      const beginning = await index.search(`${word.slice(0, 2)}*`, { tenant })
      expect([beginning.total > 0, beginning.understood]).toEqual([true, []])
    }
  }
})

test('with policies by tenant, who sees all is told by the index, and who does not is not', async () => {
  const [word = ''] = wordsOf('ann')
  const asked = `${word.slice(0, 3)}q${word.slice(3)}`
  const seesAll = indexOf(poolOf(editor, 'ann'), 'tenant')
  const { rows } = await owner.query(`select count(*)::int as n from note where tenant_id = 'ann'`)
  expect((await seesAll.search('', { tenant: 'ann' })).total).toBe(rows[0].n)
  expect((await seesAll.search(asked, { tenant: 'ann' })).didYouMean).toBe(word)
  expect((await seesAll.suggest(word.slice(0, 3), { tenant: 'ann' })).length).toBeGreaterThan(0)
  // The first rows are drafts, so it shows that the index was promised too much.
  const seesSome = indexOf(poolOf(reader, 'ann'), 'tenant')
  const seen = await owner.query(
    `select count(*)::int as n from note where tenant_id = 'ann' and not draft`,
  )
  expect((await seesSome.search('', { tenant: 'ann' })).total).toBe(seen.rows[0].n)
  expect((await seesSome.search(asked, { tenant: 'ann' })).understood).toEqual([])
  expect(await seesSome.suggest(word.slice(0, 3), { tenant: 'ann' })).toEqual([])
})

test('no search scans the table, but for what lists a large tenant', async () => {
  const scansOf = async (
    tenant: string,
    policies: 'tenant' | 'rows',
    queries: readonly string[],
    begin: string,
  ) => {
    const pool = poolOf(editor, tenant)
    const index = indexOf(pool, policies)
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (const query of queries) {
        for (const options of [
          {},
          { sort: ['price'] },
          { filters: { category: 'red', price: { gt: 5 } } },
          { mode: 'all' as const },
        ]) {
          await index.search(query, { ...options, facets: ['category'], tenant, client })
        }
      }
      await index.suggest(begin, { tenant, client })
      const { rows } = await client.query(
        `select seq_scan::int as scans, idx_scan::int as looks from pg_stat_xact_user_tables where relname = 'note'`,
      )
      return rows[0]
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  const ask = async (tenant: string, listed: boolean) => {
    const [a = '', b = '', c = ''] = wordsOf(tenant)
    const typed = [a, `${a} ${b} ${c}`, `"${a} ${b}"`, `${c}*`, `${a} -${b}`]
    for (const policies of ['tenant', 'rows'] as const) {
      const queries = listed ? ['', `-${a}`, ...typed] : typed
      const { scans, looks } = await scansOf(tenant, policies, queries, a.slice(0, 2))
      expect([tenant, policies, scans]).toEqual([tenant, policies, 0])
      expect(looks).toBeGreaterThan(0)
    }
  }
  await ask('cat', true)
  await ask('ann', false)
  await owner.query('create index note_tenant on note (tenant_id, price)')
  await ask('ann', true)
}, 60_000)

test('policies of tenantPolicy() let the database of a tenant search its rows, and nobody search without one', async () => {
  await owner.query(`create table bill ${COLUMNS}`)
  await insertNotes(owner, 'bill', [...notesOf('ann', 1, 40), ...notesOf('bob', 100, 900)])
  const options = {
    ...OPTIONS,
    table: 'bill',
    tenant: { column: 'tenant_id', policies: 'tenant' },
  } as const
  const make = (pool: Pool | Database) => {
    const index = new SearchIndex('bills', { ...options, pool })
    opened.push(index)
    return index
  }
  await make(owner).attach()
  await make(owner).maintain()
  for (const statement of tenantPolicy('bill')) await owner.query(statement)
  await owner.query(`grant select on bill to ${editor}`)
  await owner.query(`grant select on all tables in schema howdah to ${editor}`)
  const pool = database.pool({ max: 2, options: `-c role=${editor}` })
  for (const [tenant, count] of [
    ['ann', 40],
    ['bob', 900],
  ] as const) {
    const own = make(Database.from(pool).tenant(tenant))
    const { total, hits } = await own.search('')
    expect([total, hits.length]).toEqual([count, 10])
    expect(new Set(hits.map(({ row }) => row['tenant_id']))).toEqual(new Set([tenant]))
    const [, word = ''] = wordsOf(tenant)
    expect((await own.suggest(word)).map((one) => one.word)).toContain(word)
    expect(await make(pool).search(word, { tenant, facets: ['category'] })).toEqual(NOTHING)
    expect(await make(pool).suggest(word, { tenant })).toEqual([])
  }
})

test('attach() refuses to read a table of which rows may be hidden from it', async () => {
  const role = `search_bound_${suffix}`
  await owner.query(`create role ${role} login`)
  await owner.query(`create schema own authorization ${role}`)
  const pool = database.pool({ options: `-c role=${role}` })
  try {
    await pool.query(`create table own.note ${COLUMNS}`)
    await insertNotes(pool, 'own.note', notesOf('ann', 1, 10))
    await pool.query('alter table own.note enable row level security')
    await pool.query('alter table own.note force row level security')
    await owner.query(
      `grant create on database "${(await owner.query('select current_database() as name')).rows[0].name}" to ${role}`,
    )
    await owner.query(`grant usage, create on schema howdah to ${role}`)
    await owner.query(`grant all on all tables in schema howdah to ${role}`)
    const index = new SearchIndex('owned', { ...OPTIONS, pool, table: 'own.note' })
    opened.push(index)
    await expect(index.attach()).rejects.toThrow(
      expect.objectContaining({ code: 'SEARCH_ROWS_HIDDEN' }),
    )
    await pool.query('alter table own.note no force row level security')
    await index.attach()
    await pool.query('alter table own.note force row level security')
    await index.attach()
    await expect(index.rebuild()).rejects.toThrow(
      expect.objectContaining({ code: 'SEARCH_ROWS_HIDDEN' }),
    )
    await pool.query('alter table own.note no force row level security')
    expect((await index.search('', { tenant: 'ann' })).total).toBe(10)
    await index.detach()
  } finally {
    await owner.query('drop schema own cascade')
    await owner.query(`drop owned by ${role}`)
    await owner.query(`drop role ${role}`)
  }
})
