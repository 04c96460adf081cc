import { PGlite } from '@electric-sql/pglite'
import { Database } from '@howdah/core'
import { SearchIndex } from '@howdah/search'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bruteForce, type Fields, random, zipfWord } from './brute-force.js'

let pglite: PGlite
let pool: Database
let index: SearchIndex
const next = random(4)
const model = new Map<string, Fields>()
const options = () => ({
  pool,
  table: 'doc',
  key: 'id',
  fields: { body: {} },
  language: 'simple',
})

beforeAll(async () => {
  pglite = new PGlite()
  await pglite.waitReady
  pool = Database.from(pglite)
  await pglite.exec('create table doc (id int primary key, body text)')
  await insert(0, 1200)
  index = new SearchIndex('docs', options())
  await index.attach()
}, 120_000)
afterAll(async () => {
  await index.close()
  await pool.close()
  await pglite.close()
})

async function insert(from: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => {
    const body = Array.from({ length: 15 }, () => zipfWord(next, 800)).join(' ')
    model.set(String(from + at), { body })
    return { id: from + at, body }
  })
  await pglite.query('insert into doc select * from json_populate_recordset(null::doc, $1)', [
    JSON.stringify(rows),
  ])
}

test('segments, what is gone and what is hot are searched exactly on PGlite', async () => {
  await insert(1200, 600)
  await pglite.query('delete from doc where id % 5 = 0')
  for (const key of [...model.keys()]) if (Number(key) % 5 === 0) model.delete(key)
  await index.maintain()
  await insert(1800, 100)
  expect(await index.stats()).toMatchObject({ documents: model.size, errors: [] })
  expect((await index.stats()).segments).toBeGreaterThan(0)
  for (let at = 0; at < 20; at++) {
    const query = [...new Set([zipfWord(next, 800), zipfWord(next, 800)])]
    const truth = bruteForce(model, { body: 1 }, query)
    const { total, hits } = await index.search(query.join(' '), { fuzzy: false })
    expect(total).toBe(truth.length)
    for (const [place, hit] of hits.entries()) {
      expect(hit.score).toBeCloseTo(truth[place]?.score ?? Number.NaN, 9)
    }
  }
  expect((await index.moreLikeThis(7)).hits).toHaveLength(10)
})

test('the first search of an index may be in a transaction, which holds the only connection', async () => {
  await using fresh = new SearchIndex('docs', options())
  const undone = pool.transaction(async (tx) => {
    await tx.query({ text: "insert into doc values (100000, 'brandnew')" })
    expect((await fresh.search('brandnew', { client: tx })).total).toBe(1)
    throw new Error('undo')
  })
  await expect(undone).rejects.toThrow('undo')
  expect((await fresh.search('brandnew')).total).toBe(0)
})
