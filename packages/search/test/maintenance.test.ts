import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

let database: TestDatabase
let pool: Pool
let index: SearchIndex

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
beforeEach(async () => {
  await index?.detach()
  await pool.query('drop table if exists note')
  await pool.query('create table note (id int primary key, text text)')
  index = make(pool)
})
afterAll(() => database.close())

function make(own: Pool): SearchIndex {
  return new SearchIndex('notes', { pool: own, table: 'note', key: 'id', fields: { text: {} } })
}

async function add(first: number, count: number): Promise<void> {
  await pool.query(
    `insert into note select n, 'word number' || n from generate_series($1::int, $2::int) n`,
    [first, first + count - 1],
  )
}

async function table(kind: string): Promise<string> {
  const { rows } = await pool.query(
    `select oid::regclass::text as name from pg_class where relkind = 'r' and relname ~ $1`,
    [`^search_${kind}_\\d+_\\d+$`],
  )
  return rows[0].name
}

async function count(kind: string): Promise<number> {
  const { rows } = await pool.query(`select count(*)::int as n from ${await table(kind)}`)
  return rows[0].n
}

/** Adds rows until a step of maintenance in the open transaction has sealed some, before the background does. */
async function sealIn(client: PoolClient): Promise<void> {
  const step = `select ${(await table('hot')).replace('search_hot', 'search_do_maintain')}(false) as did`
  for (let first = 5001; first < 50_000; first += 600) {
    await add(first, 600)
    const { rows } = await client.query(step)
    if (rows[0].did === 'sealed') return
    await client.query('commit')
    await client.query('begin')
  }
  throw new Error('nothing was sealed')
}

test('hot rows become segments in the background, and segments bigger ones', async () => {
  await index.attach()
  await add(1, 600)
  await expect.poll(async () => (await index.stats()).segments).toBe(1)
  expect((await index.search('word')).total).toBe(600)
  for (let more = 0; more < 8; more++) {
    await add(601 + more * 512, 512)
    await index.maintain()
  }
  const status = await index.stats()
  expect(status).toMatchObject({ documents: 600 + 8 * 512, errors: [] })
  expect(status.segments).toBe(2)
  expect(status.hot).toBeLessThan(512)
  expect((await index.search('word')).total).toBe(600 + 8 * 512)
  expect((await index.search('number3000')).hits.map(({ key }) => key)).toEqual(['3000'])
})

test('segments whose rows are mostly gone are given up, and nothing of them stays', async () => {
  await add(1, 8192)
  await index.attach()
  await pool.query('delete from note where id % 3 <> 0')
  await index.maintain()
  expect(await count('gone')).toBe(0)
  expect(await count('document')).toBe((await index.stats()).documents - (await count('hot')))
  expect((await index.search('word')).total).toBe(2730)
  await pool.query('delete from note')
  await index.maintain()
  for (const kind of ['document', 'segment', 'posting', 'buried', 'hot', 'gone']) {
    expect(await count(kind), kind).toBe(0)
  }
})

test('what a truncation took away is cleared', async () => {
  await add(1, 5000)
  await index.attach()
  await pool.query('truncate note')
  await add(7000, 3)
  await index.maintain()
  for (const kind of ['document', 'segment', 'posting', 'gone', 'cleared']) {
    expect(await count(kind), kind).toBe(0)
  }
  expect((await index.search('word')).total).toBe(3)
})

test('writers wait neither for one another nor for a step of maintenance that does not end', async () => {
  await add(1, 5000)
  await index.attach()
  const held: PoolClient[] = await Promise.all([pool.connect(), pool.connect()])
  try {
    const [tidier, writer] = held as [PoolClient, PoolClient]
    await tidier.query('begin')
    await sealIn(tidier)
    await writer.query('begin')
    await writer.query(`update note set text = 'changed text' where id in (2, 5002)`)
    // Both are still open; a third writes and reads what they work on.
    await pool.query('delete from note where id in (1, 5001)')
    await pool.query(`update note set text = 'third text' where id in (3, 5003)`)
    expect((await index.search('third')).total).toBe(2)
    const { rows } = await pool.query(`select count(*)::int as n from note where text like 'word%'`)
    expect((await index.search('word')).total).toBe(rows[0].n)
    await tidier.query('commit')
    await writer.query('commit')
  } finally {
    for (const client of held) client.release()
  }
  expect((await index.search('changed')).total).toBe(2)
  await index.maintain()
  const { rows } = await pool.query('select count(*)::int as n from note')
  expect((await index.search('word third changed')).total).toBe(rows[0].n)
  expect((await index.search('word')).total).toBe(rows[0].n - 4)
  expect((await index.stats()).errors).toEqual([])
})

test('a process that dies in the middle of sealing, merging or filling loses nothing', async () => {
  await add(1, 9000)
  const doomed = database.pool({ max: 1 })
  doomed.on('error', () => {})
  const other = make(doomed)
  let steps = 0
  const killed = other.attach({
    onProgress: () => {
      steps++
      // The next statement of that process is ended from outside.
      void pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and query like '%search_do_fill%' and pid <> pg_backend_pid()`,
      )
    },
  })
  await killed.catch(() => {})
  await other.close()
  expect(steps).toBeGreaterThan(0)
  await index.attach()
  expect((await index.stats()).filling).toBeUndefined()
  expect((await index.search('word')).total).toBe(9000)
  await add(9001, 2000)
  for (let kill = 0; kill < 5; kill++) {
    const victim = database.pool({ max: 1 })
    victim.on('error', () => {})
    const tidying = make(victim)
    const done = tidying.maintain().catch(() => {})
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and query like '%search_do_maintain%' and pid <> pg_backend_pid()`,
    )
    await done
    await tidying.close()
    expect((await index.search('word')).total).toBe(11_000)
  }
  await index.maintain()
  expect((await index.search('word')).total).toBe(11_000)
  expect((await index.search('number9345')).hits).toHaveLength(1)
})

test('rows that are written while the table is filled are indexed as they were last', async () => {
  await add(1, 9000)
  let writing = true
  const writer = async (seed: number) => {
    for (let n = seed; writing; n += 7) {
      const id = (n * 7919) % 9000
      await pool.query(`update note set text = 'changed meanwhile' where id = $1`, [id])
      await pool.query('delete from note where id = $1', [id + 1])
    }
  }
  const writers = [1, 2, 3].map(writer)
  try {
    await index.attach()
  } finally {
    writing = false
    await Promise.all(writers)
  }
  await index.maintain()
  const { rows } = await pool.query(
    `select count(*)::int as all, count(*) filter (where text like 'changed%')::int as changed from note`,
  )
  expect((await index.search('changed')).total).toBe(rows[0].changed)
  expect((await index.search('word changed')).total).toBe(rows[0].all)
  expect((await index.stats()).documents).toBe(rows[0].all)
})

test('rebuild() goes on beside the old index, and both follow what is written', async () => {
  await add(1, 9000)
  await index.attach()
  const progress: number[] = []
  await index.rebuild({
    onProgress: ({ filled }) => {
      progress.push(filled)
      void pool.query(`update note set text = 'during the rebuild' where id = $1`, [
        progress.length,
      ])
    },
  })
  expect(progress.length).toBeGreaterThan(1)
  await expect.poll(async () => (await index.search('rebuild')).total).toBe(progress.length)
  expect((await index.search('word')).total).toBe(9000 - progress.length)
  const { rows } = await pool.query('select generation from howdah.search_generation')
  expect(rows).toEqual([{ generation: 2 }])
})

test('several indexes live on one table', async () => {
  await add(1, 50)
  await index.attach()
  const second = new SearchIndex('more notes', {
    pool,
    table: 'note',
    key: 'id',
    fields: { text: {} },
    language: 'simple',
  })
  await second.attach()
  await add(51, 50)
  expect((await index.search('words')).total).toBe(100)
  expect((await second.search('words', { fuzzy: false })).total).toBe(0)
  await second.detach()
  await add(101, 1)
  expect((await index.search('words')).total).toBe(101)
  expect((await index.stats()).errors).toEqual([])
})
