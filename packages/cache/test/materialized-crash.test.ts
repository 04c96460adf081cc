import { MaterializedQuery } from '@howdah/cache'
import { Database } from '@howdah/core'
import { type PostgresServer, startPostgres, waitFor } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: PostgresServer

beforeAll(async () => {
  const major = process.env['HOWDAH_PG_MAJOR']
  server = await startPostgres(major === undefined ? {} : { major: Number(major) as 15 })
})
afterAll(() => server.close())

test('a crash of the server keeps the rows, and the change whose mark it took is followed', async () => {
  const database = await server.createDatabase()
  const pool = database.pool()
  const db = Database.from(pool)
  await pool.query('create table item (id int primary key)')
  const query = new MaterializedQuery(db, 'q', 'select id from public.item', {
    unique: 'id',
    refreshOn: ['item'],
    debounce: '2s',
  })
  await query.start()
  await pool.query('insert into item values (1)')
  expect(await query.status()).toMatchObject({ dirty: true })
  await server.kill()
  await server.start()
  const read = () => query.rows().catch(() => undefined)
  const first = await waitFor(read, { timeout: '20s' })
  expect(first.length).toBeLessThan(2)
  await waitFor(async () => (await read())?.length === 1, { timeout: '20s' })
  await waitFor(async () => !(await query.status()).dirty)
  await query.close()
  await db.close()
  await database.close()
}, 60_000)
