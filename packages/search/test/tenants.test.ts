import { Database, tenantPolicy } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { bruteForce, random, zipfWord } from './brute-force.js'

let database: TestDatabase
let pool: Pool
const opened: SearchIndex[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  for (const index of opened.splice(0)) {
    await index.detach()
    await index.close()
  }
  await pool.query('drop table if exists note')
})
afterAll(() => database.close())

function open(options: Partial<SearchIndexOptions> = {}): SearchIndex {
  const index = new SearchIndex('notes', {
    pool,
    table: 'note',
    key: 'id',
    fields: { body: {} },
    language: 'simple',
    tenant: 'tenant_id',
    ...options,
  })
  opened.push(index)
  return index
}

async function make(type = 'text', rows: readonly (readonly [unknown, string])[] = []) {
  await pool.query(
    `create table note (id int primary key generated always as identity, tenant_id ${type}, body text, category text)`,
  )
  for (const [tenant, body] of rows) {
    await pool.query('insert into note (tenant_id, body, category) values ($1, $2, $2)', [
      tenant,
      body,
    ])
  }
}

const bodies = async (index: SearchIndex, query: string, tenant: string | number | bigint) =>
  (await index.search(query, { tenant })).hits.map(({ row }) => row['body'])

test('the top k of each tenant is that of brute force over its rows, through writes and maintenance', async () => {
  await make()
  const next = random(17)
  const model = new Map<string, { tenant: string | null; body: string }>()
  const sizes = { large: 2500, larger: 3500, small: 150, few: 7 }
  const tenants = Object.keys(sizes)
  const body = () =>
    Array.from({ length: Math.floor(next() * 30) }, () => zipfWord(next, 900)).join(' ')
  const insert = async (tenant: string | null, count: number) => {
    const texts = Array.from({ length: count }, body)
    const { rows } = await pool.query(
      'insert into note (tenant_id, body) select $1, t from unnest($2::text[]) t returning id::text, body',
      [tenant, texts],
    )
    for (const row of rows) model.set(row.id, { tenant, body: row.body })
  }
  const index = open()
  for (const [tenant, count] of Object.entries(sizes)) await insert(tenant, count / 2)
  await insert(null, 100)
  await index.attach()
  const compare = async () => {
    for (const tenant of tenants) {
      const own = new Map(
        [...model]
          .filter(([, row]) => row.tenant === tenant)
          .map(([id, row]) => [id, { body: row.body }]),
      )
      for (const count of [1, 3, 6]) {
        const words = [...new Set(Array.from({ length: count }, () => zipfWord(next, 900)))]
        const all = bruteForce(own, { body: 1 }, words)
        const found = await index.search(words.join(' '), { tenant, limit: 8, fuzzy: false })
        expect(found.total).toBe(all.length)
        expect(found.hits).toHaveLength(Math.min(8, all.length))
        for (const [at, { key, score }] of found.hits.entries()) {
          expect(Math.abs(score - (all[at]?.score ?? Number.NaN))).toBeLessThan(1e-9)
          expect(model.get(key)?.tenant).toBe(tenant)
        }
      }
    }
  }
  await compare()
  for (const [tenant, count] of Object.entries(sizes)) await insert(tenant, count / 2)
  await compare()
  await index.maintain()
  await compare()
  // Rows go to other tenants, some to nobody, and others go for good.
  for (const [id, row] of [...model]) {
    if (Number(id) % 5 === 0) model.set(id, { ...row, tenant: tenants[Number(id) % 4] ?? null })
    if (Number(id) % 35 === 0) model.set(id, { ...row, tenant: null })
    if (Number(id) % 9 === 0) model.delete(id)
  }
  const moved = [...model].filter(([id]) => Number(id) % 5 === 0)
  await pool.query(
    'update note set tenant_id = n.tenant from unnest($1::int[], $2::text[]) n(id, tenant) where note.id = n.id',
    [moved.map(([id]) => id), moved.map(([, { tenant }]) => tenant)],
  )
  await pool.query('delete from note where id % 9 = 0')
  await compare()
  await index.maintain()
  await compare()
  await index.rebuild()
  await compare()
  expect((await index.stats()).errors).toEqual([])
}, 60_000)

test('words and their errors, completions and counts are those of the tenant', async () => {
  await make('text', [
    ['ann', 'television set'],
    ['ann', 'television stand'],
    ['bob', 'telegraph office'],
    [null, 'telescope'],
  ])
  const index = open({ facets: ['category'] })
  await index.attach()
  const told = async (tenant: string) => {
    const { understood, didYouMean, total } = await index.search('telvision telegrpah telscope', {
      tenant,
    })
    const words = (await index.suggest('tel', { tenant })).map(({ word, documents }) => [
      word,
      documents,
    ])
    return { understood, didYouMean, total, words }
  }
  expect(await told('ann')).toEqual({
    understood: [{ typed: 'telvision', searched: [{ word: 'television', origin: 'correction' }] }],
    didYouMean: 'television telegrpah telscope',
    total: 2,
    words: [['television', 2]],
  })
  expect((await told('bob')).words).toEqual([['telegraph', 1]])
  expect(await told('eve')).toEqual({ understood: [], didYouMean: undefined, total: 0, words: [] })
  await pool.query(`update note set tenant_id = 'bob' where body = 'television set'`)
  await index.maintain()
  expect((await told('ann')).words).toEqual([['television', 1]])
  expect((await told('bob')).words).toEqual([
    ['telegraph', 1],
    ['television', 1],
  ])
  const { facets } = await index.search('', { tenant: 'bob', facets: ['category'] })
  expect(facets['category']?.map(({ value }) => value)).toEqual([
    'telegraph office',
    'television set',
  ])
  await pool.query('truncate note')
  await pool.query(`insert into note (tenant_id, body) values ('eve', 'telephone')`)
  await index.maintain()
  expect((await told('bob')).words).toEqual([])
  expect((await told('eve')).words).toEqual([['telephone', 1]])
})

test('a pinned result of another tenant is not shown', async () => {
  await make('text', [
    ['ann', 'one'],
    ['bob', 'two'],
  ])
  const index = open()
  await index.attach()
  await index.rules.setResults([{ query: 'one', pinned: ['1', '2'] }])
  expect(await bodies(index, 'one', 'ann')).toEqual(['one'])
  expect(await bodies(index, 'one', 'bob')).toEqual(['two'])
})

const HOSTILE = [
  "o'neill",
  '\u0001',
  '\u00010=x',
  '',
  ' ',
  '1',
  '01',
  'a'.repeat(999),
  'a'.repeat(1001),
  'a'.repeat(100_000),
  '\\',
  '"',
  `'; drop table note; --`,
  '__proto__',
  '%',
  'ANN',
  'ann',
  'ann ',
  '🎷',
  'null',
  '*',
  '{a,b}',
  'a & !b',
  ':*',
]

test('whatever a tenant is called, it finds its rows and no others', async () => {
  await make(
    'text',
    HOSTILE.map((tenant, at) => [tenant, `word number${at}`] as const),
  )
  const index = open({ facets: ['category'] })
  await index.attach()
  await pool.query('insert into note (tenant_id, body) select tenant_id, body from note')
  for (const [at, tenant] of HOSTILE.entries()) {
    const { total, hits } = await index.search('word', { tenant })
    expect([total, hits.map(({ row }) => row['body'])]).toEqual([
      2,
      [`word number${at}`, `word number${at}`],
    ])
    expect((await index.search(`number${at + 1}`, { tenant, fuzzy: false })).total).toBe(0)
  }
  await index.maintain()
  expect((await index.stats()).errors).toEqual([])
  for (const [at, tenant] of HOSTILE.entries()) {
    expect((await index.suggest('num', { tenant })).map(({ word }) => word)).toEqual([
      `number${at}`,
    ])
    expect((await index.search('', { tenant })).hits.map(({ row }) => row['body'])).toEqual([
      `word number${at}`,
      `word number${at}`,
    ])
  }
})

test('a value is a tenant whatever it is written as, and one that its column cannot have is refused', async () => {
  await make('int', [
    [1, 'one'],
    [2, 'two'],
  ])
  const index = open()
  await index.attach()
  expect(await bodies(index, '', 1)).toEqual(['one'])
  expect(await bodies(index, 'one two', '02')).toEqual(['two'])
  expect(await bodies(index, 'one two', 2n)).toEqual(['two'])
  for (const tenant of ['ann', "1'", '1 or 1=1', '', 1.5, 2 ** 40]) {
    await expect(index.search('one', { tenant })).rejects.toThrow(
      expect.objectContaining({ code: 'SEARCH_INVALID_QUERY' }),
    )
  }
})

test.each(['uuid', 'numeric', 'bigint', 'char(4)', 'date', 'boolean'])(
  'tenants can be of type %s',
  async (type) => {
    const values =
      {
        uuid: ['6f9619ff-8b86-d011-b42d-00cf4fc964ff', '00000000-0000-0000-0000-000000000000'],
        numeric: ['1.50', '2'],
        bigint: ['9007199254740993', '2'],
        'char(4)': ['ab', 'abc'],
        date: ['2026-01-01', '2026-02-01'],
        boolean: ['true', 'false'],
      }[type] ?? []
    await make(type, [
      [values[0], 'one'],
      [values[1], 'two'],
    ])
    const index = open()
    await index.attach()
    expect(await bodies(index, 'one two', values[0] ?? '')).toEqual(['one'])
    expect(await bodies(index, '', values[1] ?? '')).toEqual(['two'])
    if (type === 'numeric') expect(await bodies(index, '', 1.5)).toEqual(['one'])
  },
)

test('a tenant is required where the index has tenants, and refused where it has none', async () => {
  await make('text', [['ann', 'one']])
  const index = open()
  await index.attach()
  const refused = expect.objectContaining({ code: 'SEARCH_INVALID_QUERY' })
  for (const tenant of [undefined, null, 'a\0b', '\ud800', Number.NaN, {}, ['ann'], true]) {
    await expect(index.search('one', { tenant: tenant as string })).rejects.toThrow(refused)
    await expect(index.suggest('one', { tenant: tenant as string })).rejects.toThrow(refused)
  }
  await index.detach()
  const plain = open({ tenant: undefined })
  await plain.attach()
  await expect(plain.search('one', { tenant: 'ann' })).rejects.toThrow(refused)
  await expect(plain.suggest('one', { tenant: 'ann' })).rejects.toThrow(refused)
  expect((await plain.search('one')).total).toBe(1)
  await expect(open().search('one', { tenant: 'ann' })).rejects.toThrow(
    expect.objectContaining({ code: 'SEARCH_DEFINITION_CHANGED' }),
  )
})

test('attach() refuses a column that cannot be one of tenants', async () => {
  await make('float8')
  await expect(open().attach()).rejects.toThrow(
    expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }),
  )
  await expect(open({ tenant: 'nowhere' }).attach()).rejects.toThrow(
    expect.objectContaining({ code: 'SEARCH_UNKNOWN_COLUMN' }),
  )
  await pool.query('alter table note alter tenant_id type text[] using null')
  await expect(open().attach()).rejects.toThrow(
    expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }),
  )
  expect(() => open({ tenant: { column: 'tenant_id', policies: 'none' as 'rows' } })).toThrow(
    expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }),
  )
})

test("the database of a tenant says whose rows are searched, and another's are refused", async () => {
  await make('text', [
    ['ann', 'one'],
    ['bob', 'two'],
  ])
  await open().attach()
  for (const statement of tenantPolicy('note')) await pool.query(statement)
  const anns = open({ pool: Database.from(pool).tenant('ann') })
  expect((await anns.search('one two')).hits.map(({ row }) => row['body'])).toEqual(['one'])
  expect((await anns.search('', { tenant: 'ann' })).total).toBe(1)
  expect((await anns.suggest('on')).map(({ word }) => word)).toEqual(['one'])
  await expect(anns.search('one', { tenant: 'bob' })).rejects.toThrow(
    expect.objectContaining({ code: 'SEARCH_INVALID_QUERY' }),
  )
})
