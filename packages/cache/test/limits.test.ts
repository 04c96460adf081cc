import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

const entries = (from: number, to: number, value: unknown = 'x') =>
  Array.from({ length: to - from }, (_, i) => [`k${from + i}`, value] as const)

/** Writes a large namespace at once. */
async function fill(namespace: string, count: number) {
  await bench.pool.query(
    `select howdah.cache_put($1, array_agg('b' || i), array_agg('s' || repeat('x', 100)), array[null::float8])
     from generate_series(1, $2::int) i`,
    [namespace, count],
  )
}

/** Waits until nothing is left to remove. */
async function settled(cache: Cache, most: number) {
  await expect.poll(() => bench.count(cache.name), { timeout: 20_000 }).toBeLessThanOrEqual(most)
}

describe('maxEntries', () => {
  test('bounds a namespace, and leaves the others alone', async () => {
    const other = bench.cache()
    await other.setMany(entries(0, 300))
    const cache = bench.cache({ maxEntries: 500 })
    const evicted: number[] = []
    cache.on('evict', (count) => evicted.push(count))
    for (let wave = 0; wave < 8; wave++) await cache.setMany(entries(wave * 250, wave * 250 + 250))
    await settled(cache, 500)
    expect(await bench.count(cache.name)).toBeGreaterThan(450)
    expect(await bench.count(other.name)).toBe(300)
    const { evictions, entries: held, estimated } = await cache.stats()
    expect([held <= 500, estimated]).toEqual([true, false])
    expect(evictions).toBe(evicted.reduce((sum, count) => sum + count, 0))
  })

  test('removes what was not used for longest, not what was written first', async () => {
    const cache = bench.cache({ maxEntries: 1000 })
    await cache.setMany(entries(0, 1000))
    await bench.pool.query(
      `update howdah.cache_entry set accessed = accessed - 300 - substr(key, 2)::int % 60
       where namespace = (select id from howdah.cache_namespace where name = $1)`,
      [cache.name],
    )
    // The first hundred that were written are read, and so stay; first in, first out would lose them all.
    const hot = entries(0, 100).map(([key]) => key)
    expect((await cache.getMany(hot)).size).toBe(100)
    await cache.setMany(entries(1000, 1500))
    await settled(cache, 1000)
    expect((await cache.getMany(hot)).size).toBe(100)
    expect((await cache.getMany(entries(1000, 1500).map(([key]) => key))).size).toBe(500)
  })

  test('hears of reads also from a process that only reads', async () => {
    const writer = bench.cache({ maxEntries: 1000 })
    await writer.setMany(entries(0, 10))
    await bench.age(writer.name, '10 minutes')
    const young = `select count(*)::int as n from howdah.cache_entry
      where namespace = (select id from howdah.cache_namespace where name = $1)
        and accessed > extract(epoch from now()) - 1577836800 - 300`
    expect(await bench.rows(young, [writer.name])).toEqual([{ n: 0 }])
    const reader = bench.cache({
      pool: bench.otherPool,
      namespace: writer.name,
      maxEntries: 1000,
    })
    await reader.get('k1')
    await expect.poll(() => bench.rows(young, [writer.name])).toEqual([{ n: 1 }])
  })

  test('removes what has expired before what has not', async () => {
    const cache = bench.cache({ maxEntries: 100 })
    await cache.setMany(entries(0, 90), { ttl: '5m' })
    await bench.age(cache.name, '6 minutes')
    await cache.setMany(entries(100, 190), { ttl: '5m' })
    await settled(cache, 100)
    expect((await cache.getMany(entries(100, 190).map(([key]) => key))).size).toBe(90)
  })
})

test('maxBytes bounds what a namespace takes', async () => {
  const cache = bench.cache({ maxBytes: 200_000 })
  for (let wave = 0; wave < 6; wave++) {
    await cache.setMany(entries(wave * 50, wave * 50 + 50, 'x'.repeat(2_000)))
  }
  await expect.poll(async () => (await cache.stats()).bytes).toBeLessThanOrEqual(200_000)
  expect((await cache.stats()).bytes).toBeGreaterThan(170_000)
})

describe('in a table of 100,000 entries', () => {
  /** Rows that one call reads one after another. */
  async function scanned(call: string, values: unknown[]): Promise<number> {
    const client: pg.PoolClient = await bench.begin()
    const read = async () => {
      const { rows } = await client.query(
        `select coalesce(sum(seq_tup_read), 0)::int as n from pg_stat_xact_user_tables where relname like 'cache_entry%'`,
      )
      return rows[0].n as number
    }
    // It begins with what the session has not reported yet.
    const before = await read()
    await client.query(call, values)
    const after = await read()
    await client.query('rollback')
    return after - before
  }

  test('no upkeep reads all of it', async () => {
    const big = bench.cache({ ttl: '1h' })
    await big.has('opened')
    await fill(big.name, 100_000)
    const small = bench.cache()
    await small.setMany(entries(0, 300))
    const expired = bench.cache()
    await expired.setMany(entries(0, 3000), { ttl: '1m' })
    await bench.age(expired.name, '1 hour')
    await bench.pool.query('analyze howdah.cache_entry')
    expect(await scanned('select howdah.cache_sweep(500)', [])).toBe(0)
    expect(await scanned(`select * from howdah.cache_usage($1)`, [small.name])).toBe(0)
    expect(await scanned(`select * from howdah.cache_evict($1, 100, null)`, [small.name])).toBe(0)
    const sample = await scanned(`select * from howdah.cache_evict($1, 90000, null)`, [big.name])
    expect(sample).toBeGreaterThan(1_000)
    expect(sample).toBeLessThan(80_000)
    expect(await scanned(`select howdah.cache_clear($1)`, [big.name])).toBe(0)
    const stats = await big.stats()
    expect(stats.estimated).toBe(true)
    expect(stats.entries / 100_000).toBeGreaterThan(0.8)
    expect(stats.entries / 100_000).toBeLessThan(1.2)
  })

  test('a namespace among larger ones comes down to its limit, and not far below', async () => {
    const cache = bench.cache({ maxEntries: 15_000 })
    await cache.has('opened')
    await fill(cache.name, 19_000)
    await cache.set('one more', 1)
    await settled(cache, 15_000)
    expect(await bench.count(cache.name)).toBeGreaterThan(13_500)
  })

  test('a large namespace does so as well, though its size is estimated', async () => {
    const cache = bench.cache()
    await cache.has('opened')
    await bench.database.adminPool().query('truncate howdah.cache_entry')
    await fill(cache.name, 100_000)
    // Each look ends with the first sample that says there is nothing to remove, as in the background.
    for (let looks = 0; looks < 6; looks++) {
      for (let evicted = 1; evicted > 0; ) {
        const [row] = await bench.rows<{ evicted: number }>(
          'select evicted from howdah.cache_evict($1, 80000, null)',
          [cache.name],
        )
        evicted = row?.evicted ?? 0
      }
    }
    const left = await bench.count(cache.name)
    expect(left).toBeGreaterThan(68_000)
    expect(left).toBeLessThan(86_000)
  })
})
