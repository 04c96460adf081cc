import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bruteForce, type Fields, random, zipfWord } from './brute-force.js'

const WEIGHTS = { title: 3, tags: 3, body: 1, notes: 0.5 }
const FIELDS = Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]
const VOCABULARY = 400

let database: TestDatabase
let pool: Pool
let index: SearchIndex
const documents = new Map<string, Fields>()
const next = random(7)
const text = (most: number) =>
  Array.from({ length: Math.floor(next() * most) }, () => zipfWord(next, VOCABULARY)).join(' ')

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query(
    'create table doc (id int primary key, title text, tags text, body text, notes text)',
  )
  await insert(1, 300)
  index = new SearchIndex('ranking', {
    pool,
    table: 'doc',
    key: 'id',
    fields: Object.fromEntries(FIELDS.map((field) => [field, { weight: WEIGHTS[field] }])),
    language: 'simple',
  })
  await index.attach()
})
afterAll(() => database.close())

async function insert(first: number, count: number) {
  const rows = Array.from({ length: count }, (_, at) => {
    const fields = { title: text(8), tags: text(4), body: text(120), notes: text(30) }
    documents.set(String(first + at), fields)
    return { id: first + at, ...fields }
  })
  await pool.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
}

/** The whole result must be the brute-force one; scores a rounding error apart may stand in either order. */
async function compare(query: string[]) {
  const expected = bruteForce(documents, WEIGHTS, query)
  const { total, hits } = await index.search(query.join(' '), { limit: 1000 })
  expect(total).toBe(expected.length)
  const truth = new Map(expected.map(({ key, score }) => [key, score]))
  hits.forEach(({ key, score }, at) => {
    const own = truth.get(key) ?? Number.NaN
    expect(Math.abs(score - own)).toBeLessThan(1e-9)
    expect(Math.abs(own - (expected[at]?.score ?? Number.NaN))).toBeLessThan(1e-9)
  })
}

async function compareMany() {
  for (let round = 0; round < 15; round++) {
    const length = 1 + Math.floor(next() * 5)
    await compare(Array.from({ length }, () => zipfWord(next, VOCABULARY)))
  }
}

test('scores and order are those of BM25 computed by brute force', async () => {
  await compareMany()
})

test('they still are after inserts, updates, deletes and changed keys', async () => {
  await insert(1001, 40)
  for (let id = 1; id <= 60; id++) {
    const body = text(200)
    documents.set(String(id), { ...documents.get(String(id)), body })
    await pool.query('update doc set body = $2 where id = $1', [id, body])
  }
  await pool.query('delete from doc where id between 61 and 100')
  for (let id = 61; id <= 100; id++) documents.delete(String(id))
  await pool.query('update doc set id = id + 10000 where id between 101 and 120')
  for (let id = 101; id <= 120; id++) {
    documents.set(String(id + 10_000), documents.get(String(id)) as Fields)
    documents.delete(String(id))
  }
  await compareMany()
  expect((await index.stats()).documents).toBe(documents.size)
})

test('a word is counted up to the 255 times a document keeps of it', async () => {
  for (const [id, times] of [1, 2, 3, 10, 100, 254, 255].entries()) {
    const fields = {
      title: 'often '.repeat(times % 50),
      body: 'often '.repeat(times - (times % 50)),
    }
    documents.set(String(5000 + id), fields)
    await pool.query('insert into doc (id, title, body) values ($1, $2, $3)', [
      5000 + id,
      fields.title,
      fields.body,
    ])
  }
  await compare(['often'])
  await compare(['often', zipfWord(next, VOCABULARY)])
})

test('a word counts as often as the query has it', async () => {
  const word = zipfWord(next, VOCABULARY)
  await compare([word, word, zipfWord(next, VOCABULARY)])
})

test('a prefix counts as its rarity says, once a document', async () => {
  await pool.query(`update doc set title = 'zebra zebu' where id = 200`)
  await pool.query(`update doc set title = 'zebu' where id = 201`)
  const { hits } = await index.search('zeb*')
  const { rows } = await pool.query('select count(*)::int as n from doc')
  const idf = Math.log(1 + (rows[0].n - 2 + 0.5) / 2.5)
  expect(hits.map(({ key, score }) => [key, Math.abs(score - idf) < 1e-9])).toEqual([
    ['200', true],
    ['201', true],
  ])
})

test('truncate empties the index and its statistics', async () => {
  await pool.query('truncate doc')
  documents.clear()
  expect((await index.search('')).total).toBe(0)
  await insert(1, 50)
  await compareMany()
})
