import { testDatabase } from '@howdah/testkit'
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
