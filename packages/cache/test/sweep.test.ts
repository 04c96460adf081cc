import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

const entries = (count: number) => Array.from({ length: count }, (_, i) => [`k${i}`, i] as const)

/** Writes entries that live for a minute, by a cache that is closed then and so does not sweep itself. Answers its namespace. */
async function fill(count: number): Promise<string> {
  const cache = bench.cache()
  await cache.setMany(entries(count), { ttl: '1m' })
  await cache.set('graceful', 1, { ttl: '1m', grace: '1d' })
  await cache.set('later', 1, { ttl: '1d' })
  await cache.set('ever', 1)
  await cache.close()
  return cache.name
}

async function sweep(batch: number): Promise<number> {
  const [row] = await bench.rows<{ n: number }>('select howdah.cache_sweep($1) as n', [batch])
  return row?.n ?? 0
}

test('the sweep removes what has expired in small batches, and nothing that may be served', async () => {
  const namespace = await fill(250)
  expect(await sweep(100)).toBe(0)
  await bench.age(namespace, '1 hour')
  expect([await sweep(100), await sweep(100), await sweep(100), await sweep(100)]).toEqual([
    100, 100, 50, 0,
  ])
  expect(await bench.count(namespace)).toBe(3)
  const cache = bench.cache({ namespace })
  expect(await cache.getOrSet('graceful', () => 2, { softTimeout: 0 })).toBe(1)
})

test('the sweep passes over rows that others write or sweep', async () => {
  await bench.age(await fill(40), '1 hour')
  const [one, two] = [await bench.begin(), await bench.begin()]
  for (const client of [one, two]) await client.query("set local lock_timeout = '50ms'")
  const swept = async (client: typeof one) => {
    const { rows } = await client.query('select howdah.cache_sweep(15) as n')
    return rows[0].n
  }
  expect([await swept(one), await swept(two)]).toEqual([15, 15])
  await one.query('commit')
  await two.query('commit')
  const holder = await bench.begin()
  await holder.query('select from howdah.cache_entry for update')
  expect(await sweep(100)).toBe(0)
  await holder.query('rollback')
  expect(await sweep(100)).toBe(10)
})

test('clear() touches as many rows of 20,000 entries as of one', async () => {
  const touched = async (count: number) => {
    const cache = bench.cache()
    await cache.setMany(entries(count))
    const client = await bench.begin()
    const written = async () => {
      const { rows } = await client.query(
        `select sum(n_tup_ins + n_tup_upd + n_tup_del)::int as n from pg_stat_xact_user_tables`,
      )
      return rows[0].n as number
    }
    // It begins with what the session has not reported yet.
    const before = await written()
    await cache.clear({ client })
    const after = await written()
    await client.query('commit')
    expect(await cache.get('k0')).toBeUndefined()
    return after - before
  }
  expect(await touched(1)).toBe(await touched(20_000))
}, 60_000)

test('what was cleared is removed little by little, and then forgotten', async () => {
  await bench.pool.query('delete from howdah.cache_garbage')
  await bench.database.adminPool().query('truncate howdah.cache_entry')
  const expired = await fill(1)
  await bench.age(expired, '2 days')
  const cache = bench.cache()
  await cache.setMany(entries(120), { tags: ['t'] })
  // A cache that writes sweeps once at once; until it has, it could take what this test is to find.
  await expect.poll(() => bench.count(expired)).toBe(1)
  await cache.invalidateTags(['t'])
  await cache.clear()
  await cache.set('new', 1)
  await cache.clear()
  await cache.set('newer', 1)
  await cache.close()
  expect([await sweep(100), await sweep(100), await sweep(100)]).toEqual([100, 21, 0])
  expect(await bench.rows('select from howdah.cache_garbage')).toHaveLength(2)
  expect(await bench.rows('select from howdah.cache_tag')).toHaveLength(1)
  await bench.pool.query(
    `update howdah.cache_garbage set cleared_at = cleared_at - interval '2 hours'`,
  )
  await sweep(100)
  expect(await bench.rows('select from howdah.cache_garbage')).toHaveLength(0)
  expect(await bench.rows('select from howdah.cache_tag')).toHaveLength(0)
  expect(await bench.cache({ namespace: cache.name }).get('newer')).toBe(1)
})

test('a process that writes sweeps in the background', async () => {
  const old = bench.cache()
  await old.setMany(entries(1200), { ttl: '10m' })
  await bench.age(old.name, '1 hour')
  const sweeper = bench.cache()
  await sweeper.set('k', 1, { ttl: '1h' })
  await expect.poll(() => bench.count(old.name)).toBe(0)
  expect(await sweeper.get('k')).toBe(1)
})
