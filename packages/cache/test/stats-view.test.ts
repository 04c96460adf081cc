import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()

interface Row {
  readonly entries: string
  readonly bytes: string
  readonly estimated: boolean
  readonly logged: boolean
  readonly near: boolean
}

const viewed = async (name: string): Promise<Row | undefined> =>
  (
    await bench.rows<Row & { namespace: string }>(
      'select * from howdah.cache_stats where namespace = $1',
      [name],
    )
  )[0]

test('cache_stats counts small namespaces as stats() does, logged or not, empty ones too', async () => {
  for (const logged of [false, true]) {
    const cache = bench.cache({
      durability: logged ? 'logged' : 'unlogged',
      namespace: `"__proto__'; ${logged}`,
    })
    await cache.set('a', 1)
    await cache.set('b', 'x'.repeat(5000))
    const { entries, bytes } = await cache.stats()
    expect(await viewed(cache.name)).toEqual({
      namespace: cache.name,
      entries: String(entries),
      bytes: String(bytes),
      estimated: false,
      logged,
      near: false,
    })
    await cache.clear()
    expect(await viewed(cache.name)).toMatchObject({ entries: '0', bytes: '0', estimated: false })
  }
})

test('cache_stats estimates large namespaces, says so, and still counts the small ones beside them', async () => {
  const big = bench.cache()
  const small = bench.cache()
  await Promise.all([big.set('first', 1), small.set('first', 1), small.set('second', 1)])
  await bench.pool.query(
    `insert into howdah.cache_entry (namespace, key, version, accessed, bytes, value)
     select n.id, 'key ' || i, i, 0, 300, 'j"' || repeat('x', 150) || '"'
     from howdah.cache_namespace n, generate_series(1, 120000) i where n.name = $1`,
    [big.name],
  )
  const row = await viewed(big.name)
  expect(row?.estimated).toBe(true)
  expect(Number(row?.entries) / 120_001).toBeGreaterThan(0.75)
  expect(Number(row?.entries) / 120_001).toBeLessThan(1.25)
  expect(Number(row?.bytes) / Number(row?.entries)).toBeCloseTo(300, 0)
  expect(await viewed(big.name)).toEqual(row)
  expect(await viewed(small.name)).toMatchObject({ entries: '2', estimated: false })
})

test('cache_stats knows who keeps entries in memory, and can be read by who may read nothing else', async () => {
  const near = bench.cache({ near: {} })
  await near.set('a', 1)
  await expect
    .poll(async () => {
      await near.get('a')
      return (await viewed(near.name))?.near
    })
    .toBe(true)
  const client = await bench.database.adminPool().connect()
  try {
    await client.query('begin')
    await client.query(`create role cache_watcher; grant usage on schema howdah to cache_watcher;
      grant select on howdah.cache_stats to cache_watcher; set local role cache_watcher`)
    const { rows } = await client.query(
      'select entries from howdah.cache_stats where namespace = $1',
      [near.name],
    )
    expect(rows).toEqual([{ entries: '1' }])
    await expect(client.query('select * from howdah.cache_entry')).rejects.toMatchObject({
      code: '42501',
    })
  } finally {
    await client.query('rollback')
    client.release()
  }
})
