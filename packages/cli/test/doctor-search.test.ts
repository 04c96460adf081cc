import { SearchIndex } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doctorOf } from './doctor-support.js'

let database: TestDatabase
let pool: Pool
let index: SearchIndex

beforeEach(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query('create table song (id int primary key, title text)')
  index = new SearchIndex('songs', { pool, table: 'song', key: 'id', fields: { title: {} } })
  await index.attach()
})
afterEach(async () => {
  await index.close()
  await database.close()
})

const found = async () => {
  const { code, faults } = await doctorOf(database.url, ['search-indexes'])
  return { code, faults: faults.map(({ what }) => what) }
}

test('a search index that follows its table is healthy', async () => {
  await pool.query(`insert into song values (1, 'Night Train')`)
  expect(await found()).toEqual({ code: 0, faults: [] })
})

test('writes that an index could not follow are named, until it is made anew', async () => {
  const { rows } = await pool.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relname ~ '^search_hot_\\d+_1$'`,
  )
  await pool.query(`alter table ${rows[0]?.name} rename column problem to trouble`)
  await pool.query(`insert into song values (1, 'Night Train')`)
  expect(await found()).toMatchObject({
    code: 2,
    faults: [expect.stringContaining("'songs' on public.song could not follow 1 write")],
  })
  await index.rebuild()
  expect((await index.search('train')).total).toBe(1)
  expect(await found()).toEqual({ code: 0, faults: [] })
})

test('an index whose table is gone is named', async () => {
  await pool.query('drop table song')
  expect(await found()).toMatchObject({
    code: 2,
    faults: [expect.stringContaining("The table of the search index 'songs' is gone")],
  })
})
