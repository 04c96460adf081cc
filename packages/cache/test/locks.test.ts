import { testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cache } from '../src/index.js'

let database: Awaited<ReturnType<typeof testDatabase>>

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('a key that a transaction holds holds up nobody but its own callers', async () => {
  const pool = database.pool()
  const cache = new Cache({ pool })
  await cache.set('held', 0)
  await cache.set('counter', 1)
  const client = await pool.connect()
  await client.query('begin')
  await cache.set('held', 'inside', { client })
  await cache.increment('counter', 5, { client })
  let answered = false
  const waiting = [
    cache.set('held', 'outside').finally(() => {
      answered = true
    }),
    cache.increment('counter'),
  ]
  const others = Array.from({ length: 50 }, (_, i) => cache.set(`free${i}`, i))
  await Promise.all(others)
  expect(await cache.get('free7')).toBe(7)
  expect(await cache.get('held')).toBe(0)
  expect(answered).toBe(false)
  await client.query('commit')
  client.release()
  expect(await Promise.all(waiting)).toEqual([undefined, 7])
  expect(await cache.get('held')).toBe('outside')
  await cache.close()
})
