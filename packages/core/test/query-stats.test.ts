import { type PostgresServer, startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { coreMigrations, Database } from '../src/index.js'

const SCHEMA = `we "ird'`
let server: PostgresServer
let pool: pg.Pool
let db: Database

beforeAll(async () => {
  server = await startPostgres({
    major: inject('postgres').major as 18,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  })
  pool = new pg.Pool({ connectionString: server.url })
  db = Database.from(pool, { schema: SCHEMA })
  await db.migrator.up([coreMigrations])
})

afterAll(async () => {
  await db?.close()
  await pool?.end()
  await server?.close()
})

const read = () =>
  pool.query(`select object, calls, rows, toplevel, query from ${db.schema}.query_stats`)

test('query_stats says what to do where the extension is not there', async () => {
  await expect(read()).rejects.toMatchObject({
    code: '55000',
    hint: expect.stringContaining('create extension pg_stat_statements'),
  })
})

test('query_stats finds our statements, in whatever schema the extension lies, and no others', async () => {
  await pool.query(`create schema "ex t"; create extension pg_stat_statements schema "ex t"`)
  await pool.query('create table other (n int)')
  for (let n = 0; n < 3; n++) {
    await pool.query(`select * from ${db.schema}.hub_alive()`)
    await pool.query('select * from other')
  }
  const { rows } = await read()
  expect(rows).toContainEqual(
    expect.objectContaining({ object: 'hub_alive', calls: '3', toplevel: true }),
  )
  expect(rows.filter(({ query }) => !query.includes(db.schema))).toEqual([])
})

test('down() takes it away and up() brings it back', async () => {
  const client = await pool.connect()
  await db.migrator.down(coreMigrations, { to: 4 })
  await expect(read()).rejects.toMatchObject({ code: '42P01' })
  await db.migrator.up([coreMigrations])
  expect((await read()).rows.length).toBeGreaterThan(0)
  client.release()
})
