import { startPostgres, testDatabase } from '@howdah/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'

test('testDatabase() gives every caller a database of its own', async () => {
  await using one = await testDatabase()
  await using two = await testDatabase()
  await one.pool().query('create table only_here (a integer)')
  const { rows } = await two.pool().query("select to_regclass('only_here') as found")
  expect(rows).toEqual([{ found: null }])
})

test('close() drops the database and names the connections that were left open', async () => {
  const db = await testDatabase()
  const client = await db.pool({ application_name: 'forgetful' }).connect()
  client.on('error', () => {})
  await expect(db.close()).rejects.toMatchObject({
    code: 'TESTKIT_LEAK',
    message: expect.stringContaining('"forgetful"'),
  })
  await using other = await testDatabase()
  const { rows } = await other.pool().query('select from pg_database where datname = $1', [db.name])
  expect(rows).toEqual([])
})

test('with a role databases belong to it, and what it may not do is done as the server’s own', async () => {
  await using server = await startPostgres({
    role: { name: 'an "app"', password: 'p@ss/word' },
    template: async (url) => {
      const client = new Client({ connectionString: url })
      await client.connect()
      await client.query(
        `create role "an ""app""" login password 'p@ss/word'; create table kept (a int)`,
      )
      await client.end()
    },
  })
  await using db = await server.createDatabase()
  const user = 'select current_user::text as user'
  expect((await db.pool().query(user)).rows).toEqual([{ user: 'an "app"' }])
  expect((await db.adminPool().query(user)).rows).toEqual([{ user: 'postgres' }])
  await db.pool().query('create schema mine')
  await expect(db.pool().query('insert into kept values (1)')).rejects.toMatchObject({
    code: '42501',
  })
  expect(new URL(db.adminUrl).pathname).toBe(new URL(db.url).pathname)
})
