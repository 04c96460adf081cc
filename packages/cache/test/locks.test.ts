import { Database } from '@howdah/core'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Cache } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

/** Sessions of this database that wait for a lock. */
async function waiting() {
  const rows = await bench.rows(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows.length
}

describe('a key that a transaction holds', () => {
  test('holds up nobody but its own writers', async () => {
    const cache = bench.cache()
    await cache.set('held', 0)
    await cache.set('counter', 1)
    const client = await bench.begin()
    await cache.set('held', 'inside', { client })
    await cache.increment('counter', 5, { client })
    let answered = false
    const held = [
      cache.set('held', 'outside').finally(() => {
        answered = true
      }),
      cache.increment('counter'),
    ]
    await Promise.all(Array.from({ length: 50 }, (_, i) => cache.set(`free${i}`, i)))
    expect(await cache.get('free7')).toBe(7)
    expect(await cache.get('held')).toBe(0)
    expect(answered).toBe(false)
    await client.query('commit')
    expect(await Promise.all(held)).toEqual([undefined, 7])
    expect(await cache.get('held')).toBe('outside')
  })

  test.each([
    ['that was there', true],
    ['that was not', false],
  ])('and %s is written in the order of the calls, by one connection', async (_what, there) => {
    const cache = bench.cache({ pool: bench.otherPool })
    if (there) await cache.set('held', 0)
    const client = await bench.begin()
    await cache.set('held', 1, { client })
    const calls: Promise<unknown>[] = []
    for (let i = 0; i < 12; i++) {
      calls.push(cache.delete('held'), cache.add('held', i), cache.increment('held', 100))
      // Each of these travels in a statement of its own, so that they meet the lock one after another.
      await cache.set('free', i)
      expect(await cache.get('held')).toBe(there ? 0 : undefined)
    }
    await expect.poll(waiting).toBe(1)
    await cache.set('free', 'still')
    expect(await waiting()).toBe(1)
    await client.query('commit')
    // A delete sees nothing to wait for where nothing is committed; what follows it does.
    const first = there ? [true, true, 100] : [false, false, 101]
    const expected = Array.from({ length: 12 }, (_, i) => [true, true, i + 100]).flat()
    expect(await Promise.all(calls)).toEqual([...first, ...expected.slice(3)])
    expect(await cache.get('held')).toBe(111)
  })

  test('does not hold up a batch that loads', async () => {
    const cache = bench.cache()
    await cache.has('first')
    const client = await bench.begin()
    await cache.set('held', 'inside', { client })
    const held = cache.getOrSet('held', () => 'loaded')
    const others = Array.from({ length: 20 }, (_, i) => cache.getOrSet(`free${i}`, () => i))
    expect(await Promise.all(others)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    await client.query('commit')
    expect(await held).toBe('inside')
  })
})

async function race(url: string) {
  const pools = [0, 1].map(() => new pg.Pool({ connectionString: url }))
  for (const pool of pools) {
    // Its database may be dropped before a connection has quite ended.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
  }
  const [ours, theirs] = pools.map((pool) => new Cache({ pool, namespace: 'race' })) as [
    Cache,
    Cache,
  ]
  const keys = ['a', 'B', 'b', 'A', '_', 'Z', 'z', '-', 'é', 'e', 'É', '1', '~', ' ']
  const shuffled = (round: number) => [
    ...keys.slice(round % keys.length),
    ...keys.slice(0, round % keys.length),
  ]
  const db = Database.from(pools[1] as pg.Pool)
  for (let round = 0; round < 25; round++) {
    await theirs.deleteMany(keys.filter((_, i) => (i + round) % 3 === 0))
    const entries = shuffled(round).map((key) => [key, round] as const)
    const backwards = shuffled(round + 5).toReversed()
    await Promise.all([
      ours.setMany(entries),
      db.transaction((client) => theirs.deleteMany(backwards, { client })),
      db.transaction((client) => theirs.setMany(entries.toReversed(), { client })),
      theirs.deleteMany(backwards),
      Promise.all(backwards.map((key) => theirs.replace(key, 1))),
      Promise.all(backwards.map((key) => ours.touch(key, '1m'))),
      Promise.all(backwards.map((key) => ours.increment(`n${key}`))),
      Promise.all(backwards.map((key) => theirs.getOrSet(key, () => 0))),
    ])
  }
  await Promise.all([ours.close(), theirs.close()])
  await Promise.all(pools.map((pool) => pool.end()))
}

test('batches over the same keys do not deadlock', () => race(bench.database.url), 60_000)

/** Tells whether a batch that waits for the first of two keys has left the second alone. */
async function takesInOrder(url: string, there: boolean, write: 'setMany' | 'deleteMany') {
  const pool = new pg.Pool({ connectionString: url })
  // Its database may be dropped before a connection has quite ended.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const cache = new Cache({ pool, namespace: `${write} ${there}` })
  const [holder, writer] = [await pool.connect(), await pool.connect()]
  // A language puts a before B, and so may a table where only a is there.
  await cache.setMany(
    there
      ? [
          ['B', 1],
          ['a', 1],
        ]
      : [['a', 1]],
  )
  await holder.query('begin')
  await cache.set('B', 'held', { client: holder })
  await writer.query('begin')
  const keys = ['a', 'B']
  const written =
    write === 'setMany'
      ? cache.setMany(
          keys.map((key) => [key, 2] as const),
          { client: writer },
        )
      : cache.deleteMany(keys, { client: writer })
  await expect
    .poll(async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rowCount
    })
    .toBe(1)
  const free = await pool.query(
    `select from howdah.cache_entry where key = 'a' and namespace =
       (select id from howdah.cache_namespace where name = $1) for update skip locked`,
    [cache.name],
  )
  await holder.query('commit')
  await written
  await writer.query('commit')
  holder.release()
  writer.release()
  await cache.close()
  await pool.end()
  return free.rowCount === 1
}

test('a batch takes its keys in one order, be the database one that orders text by language', async () => {
  const name = `${bench.database.name}_icu`
  const admin = bench.database.adminPool()
  await admin.query(
    `create database ${name} template template0 locale_provider icu icu_locale 'en-US'`,
  )
  try {
    const other = new URL(bench.database.adminUrl)
    other.pathname = `/${name}`
    for (const url of [bench.database.url, other.href]) {
      for (const there of [true, false]) {
        for (const write of ['setMany', 'deleteMany'] as const) {
          expect([url, there, write, await takesInOrder(url, there, write)]).toEqual([
            url,
            there,
            write,
            true,
          ])
        }
      }
    }
  } finally {
    await admin.query(`drop database ${name} with (force)`)
  }
}, 60_000)
