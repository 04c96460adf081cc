import { Database } from '@howdah/core'
import { SearchIndex, type SearchIndexOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random } from './brute-force.js'

const ROWS = 9000
let database: TestDatabase
let pool: Pool
let index: SearchIndex
let definition: SearchIndexOptions

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query(`create table shop (
    id int primary key, body text, owner int, label text, tags text[], paid boolean, price numeric(10, 2))`)
  await insert(1, ROWS)
  definition = {
    pool,
    table: 'shop',
    key: 'id',
    fields: { body: {} },
    facets: ['owner', 'label', 'tags', 'price'],
    filters: ['paid'],
    language: 'simple',
  }
  index = new SearchIndex('shop', definition)
  await index.attach()
}, 60_000)
afterAll(async () => {
  await index.close()
  await database.close()
})

const next = random(9)

/** Some owners are frequent and most have a row or two; labels are all different. */
async function insert(first: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => ({
    id: first + at,
    body: next() < 0.5 ? 'red shoes' : 'blue shoes',
    owner: Math.floor(6000 ** next()),
    label: `label ${first + at}`,
    tags: ['new', `tag ${(first + at) % 7}`],
    paid: next() < 0.5,
    price: Math.floor(next() * 500) / 100,
  }))
  await pool.query('insert into shop select * from json_populate_recordset(null::shop, $1)', [
    JSON.stringify(rows),
  ])
}

async function grouped(column: string, condition: string) {
  const { rows } = await pool.query(`select to_jsonb(${column}) as value, count(*)::int as count
    from shop where ${condition} group by ${column} order by 2 desc, to_jsonb(${column})::text collate "C" limit 100`)
  return rows
}

test('a facet of thousands of values tells the most frequent, those of one count in the order of their text', async () => {
  const found = async () => (await index.search('red', { facets: ['owner'] })).facets['owner']
  const truth = () => grouped('owner', `body ~ 'red'`)
  expect(await found()).toEqual(await truth())
  await insert(ROWS + 1, 300)
  await pool.query('delete from shop where id % 5 = 0')
  expect(await found()).toEqual(await truth())
  await index.maintain()
  expect(await found()).toEqual(await truth())
  const paid = await index.search('red', {
    facets: ['owner'],
    filters: { paid: true, price: { lt: 2 } },
  })
  expect(paid.facets['owner']).toEqual(
    await grouped('owner', `body ~ 'red' and paid and price < 2`),
  )
})

test('of values that are all in one row the first by their text are told', async () => {
  const { rows } = await pool.query(
    `select label from shop order by to_jsonb(label)::text collate "C" limit 100`,
  )
  const { facets } = await index.search('', { facets: ['label'] })
  expect(facets['label']).toEqual(rows.map(({ label }) => ({ value: label, count: 1 })))
})

test('the ranges of a facet are counted as they were given, without the filter of its own', async () => {
  const ranges = [{ to: 1 }, { from: 1, to: '2.50' }, { from: 2.5, to: 3 }, {}]
  const { facets, total } = await index.search('shoes', {
    facets: [{ column: 'price', ranges }],
    filters: { price: { gte: 4 }, paid: false },
  })
  const { rows } = await pool.query(`select
    count(*) filter (where price < 1)::int as a, count(*) filter (where price >= 1 and price < 2.5)::int as b,
    count(*) filter (where price >= 2.5 and price < 3)::int as c, count(*)::int as d,
    count(*) filter (where price >= 4)::int as total from shop where not paid`)
  const [{ a, b, c, d, total: truth }] = rows
  expect(facets['price']).toEqual([a, b, c, d].map((count, at) => ({ ...ranges[at], count })))
  expect(total).toBe(truth)
})

test('a row with more values than a document can hold is written, found, and told of', async () => {
  const tags = Array.from({ length: 60_000 }, (_, at) => `a tag of some length, number ${at}`)
  await pool.query(`insert into shop (id, body, tags, label) values (1000001, 'giant', $1, $2)`, [
    tags,
    'y'.repeat(1_000_000),
  ])
  const { hits } = await index.search('giant', { filters: { label: 'y'.repeat(1_000_000) } })
  expect(hits.map(({ key }) => key)).toEqual(['1000001'])
  expect((await index.search('', { filters: { tags: tags.slice(0, 1) } })).total).toBe(1)
  const { partial, errors } = await index.stats()
  expect(partial.map(({ key }) => key)).toEqual(['1000001'])
  expect(errors).toEqual([])
  await pool.query('delete from shop where id = 1000001')
})

test('a filter changes no score, also not that of a beginning', async () => {
  for (const query of ['re*', 'red shoes', 'sho* blue', '"red shoes" re*']) {
    const found = await index.search(query, { limit: 1000 })
    const scores = new Map(found.hits.map(({ key, score }) => [key, score]))
    const some = await index.search(query, { limit: 1000, filters: { price: { gte: 4.5 } } })
    const known = some.hits.filter(({ key }) => scores.has(key))
    expect(known.length).toBeGreaterThan(0)
    for (const { key, score } of known) expect(score).toBeCloseTo(scores.get(key) as number, 9)
  }
})

test('words of values are words of no query', async () => {
  for (const word of ['\u00013=new', '3=new', '\u0001', '\u0001*']) {
    const { hits } = await index.search(`${word} nothing`, { fuzzy: true, highlight: true })
    expect(hits).toEqual([])
  }
  expect(await index.suggest('\u0001')).toEqual([])
  expect((await index.search('shoes', { highlight: true })).hits[0]?.highlights?.['body']).toMatch(
    /^(red|blue) <mark>shoes<\/mark>$/,
  )
})

test('a transaction counts its own writes, and others do not before it commits', async () => {
  const count = async (client?: { query: Pool['query'] }) => {
    const own = client === undefined ? {} : { client: client as never }
    const { facets } = await index.search('shoes', { facets: ['tags'], ...own })
    return facets['tags']?.find(({ value }) => value === 'mine')?.count ?? 0
  }
  const undone = Database.from(pool).transaction(async (tx) => {
    await tx.query({ text: `update shop set tags = '{mine}' where id % 11 = 1` })
    const { rows } = await (tx as unknown as Pool).query(
      `select count(*)::int as n from shop where tags = '{mine}'`,
    )
    expect(await count(tx as never)).toBe(rows[0].n)
    expect(await count()).toBe(0)
    throw new Error('undo')
  })
  await expect(undone).rejects.toThrow('undo')
  expect(await count()).toBe(0)
})

test('other columns need a rebuild, and a column that becomes a facet does not', async () => {
  const other = new SearchIndex('shop', { ...definition, filters: [] })
  await expect(other.search('')).rejects.toMatchObject({ code: 'SEARCH_DEFINITION_CHANGED' })
  const { facets = [] } = definition
  const same = new SearchIndex('shop', { ...definition, facets: ['paid', ...facets], filters: [] })
  const found = await same.search('red', { facets: ['paid'] })
  expect(found.facets['paid']).toHaveLength(2)
  await Promise.all([other.close(), same.close()])
})

test('what a policy hides is in no total and no count', async () => {
  await pool.query(`create table note (id int primary key, body text, kind text);
    insert into note select n, 'shoes', 'kind ' || n % 3 from generate_series(1, 30) n;
    alter table note enable row level security; create policy visible on note using (id <= 10);
    create role facet_reader; grant usage on schema public, howdah to facet_reader;`)
  const notes = new SearchIndex('notes', {
    pool,
    table: 'note',
    key: 'id',
    fields: { body: {} },
    facets: ['kind'],
  })
  await notes.attach()
  await pool.query('grant select on all tables in schema public, howdah to facet_reader')
  await pool.query('grant execute on all functions in schema howdah to facet_reader')
  await Database.from(pool).transaction(async (tx) => {
    await tx.query({ text: 'set local role facet_reader' })
    const { total, facets } = await notes.search('shoes', {
      facets: ['kind'],
      filters: { kind: { not: 'kind 0' } },
      client: tx,
    })
    expect(total).toBe(7)
    expect(facets['kind']).toEqual([
      { value: 'kind 1', count: 4 },
      { value: 'kind 0', count: 3 },
      { value: 'kind 2', count: 3 },
    ])
  })
  await notes.close()
})

test('filters and facets that make no sense are refused with a code', async () => {
  const refused = (options: object) =>
    expect(index.search('', options), JSON.stringify(options).slice(0, 80)).rejects.toMatchObject({
      name: 'HowdahError',
      code: 'SEARCH_INVALID_QUERY',
    })
  let deep: object = { paid: true }
  for (let at = 0; at < 20; at++) deep = { $not: deep }
  const many = Array.from({ length: 300 }, () => ({ paid: true }))
  for (const filters of [
    deep,
    { $or: many },
    { label: Array.from({ length: 20_000 }, String) },
    { $and: { paid: true } },
    { $or: [1] },
    { $not: [] },
    { $nor: [] },
    { paid: {} },
    { paid: { exists: 1 } },
    { price: { above: 1 } },
    { price: { gt: null } },
    { price: { gt: [1] } },
    { price: { gt: 'dear' } },
    { price: 'dear' },
    { owner: 1.5 },
    { owner: { not: { gt: 1 } } },
    JSON.parse('{"__proto__": 1}'),
    { $and: [{ constructor: 1 }] },
  ]) {
    await refused({ filters })
  }
  for (const facet of [
    'body',
    'paid',
    1,
    null,
    { column: 'price' },
    { column: 'price', ranges: [] },
    { column: 'price', ranges: [1] },
    { column: 'price', ranges: [{ from: null }] },
    { column: 'price', ranges: [{ from: 'dear' }] },
  ]) {
    await refused({ facets: [facet] })
  }
  await refused({ facets: ['price', 'price'] })
  const named = () => new SearchIndex('x', { ...definition, filters: ['$or'] })
  expect(named).toThrow(expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }))
})
