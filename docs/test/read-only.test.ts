/** What docs/scaling.md says may be read from a replica: what works where transactions cannot write, and asks no UNLOGGED table. */
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { SearchIndex } from '@howdah/search'
import { Sessions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'

const INDEX = { table: 'public.tea', key: 'id', fields: { name: {} } }
let database: TestDatabase
let primary: pg.Pool

beforeAll(async () => {
  database = await testDatabase()
  primary = database.pool()
  const admin = database.adminPool()
  const role = `replica_${database.name}`
  await admin.query(`create role ${role}; grant usage on schema howdah to ${role}; grant execute on all routines in schema howdah to ${role};
    alter default privileges grant select on tables to ${role}; alter default privileges grant execute on routines to ${role}`)
  const { rows } = await admin.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = 'howdah'::regnamespace and relkind in ('r', 'v', 'S') and relpersistence = 'p'`,
  )
  await admin.query(`grant select on ${rows.map(({ name }) => name).join(', ')} to ${role}`)
})
afterAll(async () => {
  await database
    .adminPool()
    .query(`drop owned by replica_${database.name}; drop role replica_${database.name}`)
  await Database.from(primary).close()
  await database.close()
})

/** As a replica answers: nothing is written, and there are no UNLOGGED tables. */
function replica(): pg.Pool {
  const pool = database.pool({
    options: `-c default_transaction_read_only=on -c role=replica_${database.name}`,
  })
  onTestFinished(() => Database.from(pool).close())
  return pool
}

test('searches', async () => {
  await primary.query('create table tea (id int primary key, name text)')
  const index = new SearchIndex('teas', { pool: primary, ...INDEX })
  await index.attach()
  await primary.query(`insert into tea values (1, 'green'), (2, 'green and black')`)
  await index.maintain()
  await index.close()
  const there = new SearchIndex('teas', { pool: replica(), ...INDEX })
  onTestFinished(() => there.close())
  expect((await there.search('green', { facets: [] })).total).toBe(2)
})

test('streams, figures of queues, sessions and logged cache entries', async () => {
  const write = {
    pubsub: new PubSub({ pool: primary }),
    queue: new Queue<number>('mails', { pool: primary }),
    sessions: new Sessions({ pool: primary }),
    cache: new Cache({ pool: primary, namespace: 'kept', durability: 'logged' }),
  }
  await write.pubsub.stream('orders').append({ n: 1 })
  await write.pubsub.stream('orders').read({ after: 'earliest' })
  const id = await write.queue.add(1)
  const session = await write.sessions.create({ user: 'ada' })
  await write.cache.set('k', 'v')

  const pool = replica()
  const read = {
    pubsub: new PubSub({ pool }),
    queue: new Queue<number>('mails', { pool }),
    sessions: new Sessions({ pool, pruneInterval: false }),
    cache: new Cache({ pool, namespace: 'kept', durability: 'logged' }),
  }
  const { messages } = await read.pubsub.stream('orders').read({ after: 'earliest' })
  expect(messages).toHaveLength(1)
  expect(await read.queue.stats()).toMatchObject({ waiting: 1 })
  expect((await read.sessions.load(session.id))?.data).toEqual({ user: 'ada' })
  expect(await read.cache.get('k')).toBe('v')
  // A job's progress is in an UNLOGGED table.
  await expect(read.queue.get(id)).rejects.toThrow('queue_progress')
  await expect(read.queue.add(2)).rejects.toThrow(/read-only/)
  for (const one of [...Object.values(read), ...Object.values(write)]) await one.close()
})
