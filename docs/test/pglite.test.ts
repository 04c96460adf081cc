import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { SearchIndex } from '@howdah/search'
import { Sessions } from '@howdah/session'
import { afterAll, beforeAll, expect, test } from 'vitest'

// One database in this process, on one connection: all five primitives share it.
let pglite: PGlite
let pool: Database

beforeAll(async () => {
  pglite = new PGlite()
  pool = Database.from(pglite)
  await pglite.waitReady
})
afterAll(async () => {
  await pool.close()
  await pglite.close()
})

test('the cache works on PGlite', async () => {
  const cache = new Cache({ pool })
  await Promise.all([cache.set('a', 1), cache.set('b', [2])])
  expect(await Promise.all([cache.get('a'), cache.get('b'), cache.get('c')])).toEqual([
    1,
    [2],
    undefined,
  ])
  await cache.close()
})

test('the queue works on PGlite, in its transactions too', async () => {
  const jobs = new Queue<number>('jobs', { pool })
  const seen: number[] = []
  jobs.work((job) => seen.push(job.payload), { pollInterval: '1h' })
  await jobs.add(1)
  await pool.transaction((tx) => jobs.add(2, { client: tx }))
  await expect.poll(() => seen.toSorted()).toEqual([1, 2])
  await jobs.close()
})

test('pub/sub works on PGlite', async () => {
  const pubsub = new PubSub({ pool })
  const heard: string[] = []
  await pubsub.channel<string>('news').subscribe((text) => heard.push(text))
  const sent = ['short', 'é'.repeat(10_000)]
  for (const text of sent) await pubsub.channel<string>('news').publish(text)
  await expect.poll(() => heard).toEqual(sent)
  await pubsub.close()
})

test('search works on PGlite', async () => {
  await pglite.exec(`create table tea (id int primary key, name text);
    insert into tea values (1, 'Morning Blend'), (2, 'Garden Mint')`)
  const teas = new SearchIndex('teas', {
    pool,
    table: 'public.tea',
    key: 'id',
    fields: { name: {} },
  })
  await teas.attach()
  await pglite.query(`insert into tea values (3, 'Evening Mint')`)
  const { total, hits } = await teas.search('mints')
  expect([total, hits.map((hit) => hit.key).toSorted()]).toEqual([2, ['2', '3']])
  await teas.close()
})

test('sessions work on PGlite', async () => {
  const sessions = new Sessions({ pool, encryption: { keys: [{ id: 'a', key: randomBytes(32) }] } })
  const { id } = await sessions.create({ userId: 7, views: 0 })
  const loaded = await Promise.all(Array.from({ length: 40 }, () => sessions.load(id)))
  await Promise.all(
    loaded.map((session, at) => {
      if (session === undefined) throw new Error('The session is not there.')
      session.data[`key${at}`] = at
      return sessions.save(session)
    }),
  )
  expect(Object.keys((await sessions.load(id))?.data ?? {})).toHaveLength(42)
  expect(await sessions.listByUser(7)).toHaveLength(1)
  expect(await sessions.revokeAll(7)).toBe(1)
  expect(await sessions.load(id)).toBeUndefined()
  await sessions.close()
})
