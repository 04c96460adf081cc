import { tracingChannel } from 'node:diagnostics_channel'
import { Database } from '@howdah/core'
import { startProxy, type TestDatabase, testDatabase, waitFor } from '@howdah/testkit'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Cache, type CacheOptions } from '../src/index.js'
import { overhear } from './near-support.js'

let database: TestDatabase
let pool: pg.Pool
let caches = 0
const open: Cache[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})
afterAll(async () => {
  await Database.from(pool).close()
  await database.close()
})

/** A cache with a near cache that is patient, so that a busy machine costs no hits. */
function nearCache(options: Partial<CacheOptions> = {}): Cache {
  const cache = new Cache({
    pool,
    namespace: `n${++caches}`,
    near: { maxStale: '10s' },
    ...options,
  })
  open.push(cache)
  return cache
}

/** Reads until memory answers; answers the value. */
async function warm<T>(cache: Cache, key: string): Promise<T | undefined> {
  const found = await waitFor(async () => {
    const before = (await cache.stats()).nearHits
    const value = await cache.get<T>(key)
    return (await cache.stats()).nearHits > before ? { value } : undefined
  })
  return found.value
}

async function nearHits(cache: Cache, read: () => Promise<unknown>): Promise<number> {
  const before = (await cache.stats()).nearHits
  await read()
  return (await cache.stats()).nearHits - before
}

describe('a cache with a near cache', () => {
  test('gives every reader a value of its own, of every kind', async () => {
    const cache = nearCache({ compress: { above: 100 } })
    const values = {
      json: { list: [1, { deep: true }] },
      text: 'text',
      long: 'long '.repeat(100),
      number: -0,
      big: 12345678901234567890n,
      date: new Date(0),
      bytes: Buffer.from([0, 1, 2]),
      manyBytes: Buffer.alloc(500),
      null: null,
      undefined,
      true: true,
      longJson: { list: Array.from({ length: 100 }, (_, at) => at) },
    }
    for (const [key, value] of Object.entries(values)) {
      await cache.set(key, value)
      expect(await warm(cache, key)).toStrictEqual(value)
    }
    const mine = await cache.get<{ list: unknown[] }>('json')
    mine?.list.push('changed')
    expect(await cache.get('json')).toEqual(values.json)
    expect(await nearHits(cache, () => cache.has('undefined'))).toBe(1)
    expect(await cache.has('undefined')).toBe(true)
  })

  test('every write of this process is seen by its next read', async () => {
    const cache = nearCache({ ttl: '1h' })
    const db = Database.from(pool)
    const writes: [write: () => Promise<unknown>, expected: unknown][] = [
      [() => cache.set('k', 1), 1],
      [() => cache.setMany([['k', 2]]), 2],
      [() => cache.increment('k'), 3],
      [() => cache.replace('k', 4), 4],
      [async () => cache.compareAndSet('k', (await cache.entry('k'))?.version, 5), 5],
      [() => db.transaction((tx) => cache.set('k', 6, { client: tx })), 6],
      [() => cache.delete('k'), undefined],
      [() => cache.add('k', 7, { tags: ['t'] }), 7],
      [() => cache.invalidateTags(['t']), undefined],
      [() => cache.getOrSet('k', () => 8), 8],
      [() => cache.clear(), undefined],
      [() => cache.set('k', 9), 9],
      [() => cache.touch('k', 1), undefined],
    ]
    for (const [write, expected] of writes) {
      await cache.get('k')
      await cache.get('k')
      await write()
      if (expected === undefined) await expect.poll(() => cache.get('k')).toBeUndefined()
      else expect(await cache.get('k')).toBe(expected)
      if (expected !== undefined) await warm(cache, 'k')
    }
  })

  test('a read that follows a write which nobody awaited sees it', async () => {
    const cache = nearCache()
    await cache.set('k', 0)
    await warm(cache, 'k')
    for (let value = 1; value < 50; value++) {
      const written = cache.set('k', value)
      expect(await cache.get('k')).toBe(value)
      await written
    }
  })

  test('a transaction that rolls back leaves what was; one of another library is heard of', async () => {
    const cache = nearCache()
    await cache.set('k', 'old')
    await warm(cache, 'k')
    const failed = Database.from(pool).transaction(async (tx) => {
      await cache.set('k', 'new', { client: tx })
      expect(await cache.get('k')).toBe('old')
      expect(await cache.get('k', { client: tx })).toBe('new')
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await warm(cache, 'k')).toBe('old')
    const client = await pool.connect()
    await client.query('begin')
    await cache.set('k', 'newer', { client })
    expect(await warm(cache, 'k')).toBe('old')
    await client.query('commit')
    client.release()
    await expect.poll(() => cache.get('k')).toBe('newer')
  })

  test('a transaction of ours is seen once it has committed, though no message comes in', async () => {
    const { port } = new URL(database.url)
    await using proxy = await startProxy({ host: '127.0.0.1', port: Number(port) })
    const db = Database.from(database.pool(), { listen: proxy.url(database.url) })
    const cache = nearCache({ pool: db })
    await cache.set('k', 'old')
    await warm(cache, 'k')
    proxy.freeze()
    await db.transaction(async (tx) => {
      await cache.set('k', 'new', { client: tx })
      expect(await cache.get('k')).toBe('old')
      expect(await nearHits(cache, () => cache.get('k'))).toBe(1)
    })
    expect(await cache.get('k')).toBe('new')
    proxy.thaw()
    await cache.close()
    await db.close()
  })

  test('strong reads ask the database, one by one or always', async () => {
    const cache = nearCache()
    const strong = nearCache({ namespace: cache.name, consistency: 'strong' })
    await cache.set('k', 1)
    await warm(cache, 'k')
    for (const read of [
      () => cache.get('k', { consistency: 'strong' }),
      () => cache.getMany(['k'], { consistency: 'strong' }),
      () => cache.has('k', { consistency: 'strong' }),
      () => cache.getOrSet('k', () => 2, { consistency: 'strong' }),
      () => cache.entry('k'),
      () => cache.ttl('k'),
    ]) {
      expect(await nearHits(cache, read)).toBe(0)
    }
    expect(await nearHits(cache, () => cache.getMany(['k', 'none']))).toBe(1)
    expect(await nearHits(cache, () => cache.getOrSet('k', () => 2))).toBe(1)
    expect(await cache.getMany(['none', 'k'])).toEqual(new Map([['k', 1]]))
    expect(await nearHits(strong, () => strong.get('k'))).toBe(0)
    await waitFor(
      async () => (await nearHits(strong, () => strong.get('k', { consistency: 'near' }))) === 1,
    )
  })

  test('keys of all kinds are told apart, in memory and in messages', async () => {
    const name = `n${++caches}`
    const ours = nearCache({ namespace: name })
    const theirs = new Cache({ pool, namespace: name })
    open.push(theirs)
    await ours.set('k', 0)
    await warm(ours, 'k')
    const key = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.constantFrom('#', '##', '*', '!', '__proto__', '\0', '\ud800', 'k'.repeat(513), '"\\'),
    )
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { maxLength: 8 }), async (keys) => {
        await ours.setMany(keys.map((k) => [k, `old ${k}`] as const))
        for (const k of keys) await ours.get(k)
        await theirs.setMany(keys.map((k) => [k, `new ${k}`] as const))
        for (const k of keys) await expect.poll(() => ours.get(k)).toBe(`new ${k}`)
      }),
      { numRuns: 15 },
    )
    const stored = await pool.query(
      `select e.key from howdah.cache_entry e join howdah.cache_namespace n on n.id = e.namespace
       where n.name = $1 and e.key like '#%' limit 1`,
      [name],
    )
    // The name under which another key is stored is a key like any other.
    expect(await ours.get(stored.rows[0].key)).toBeUndefined()
  })

  test('a write that changes nothing makes nobody forget, and one that changes a key only that', async () => {
    const cache = nearCache()
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    await warm(cache, 'a')
    const other = new Cache({ pool: database.pool(), namespace: cache.name })
    const heard = await overhear(database)
    expect(await other.replace('none', 1)).toBe(false)
    expect(await other.add('a', 1)).toBe(false)
    expect(await other.touch('none', '1h')).toBe(false)
    expect(await nearHits(cache, () => cache.get('a'))).toBe(1)
    await other.set('b', 3)
    await expect.poll(() => heard.names.length).toBe(1)
    expect(await nearHits(cache, () => cache.get('a'))).toBe(1)
    await heard.close()
    await other.close()
  })

  test('a foreign write is noticed also after a call for a namespace that is not there', async () => {
    const cache = nearCache()
    await cache.set('k', 1)
    await warm(cache, 'k')
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query('begin')
    await client.query(`select howdah.cache_remove('not there', array['k'])`)
    await client.query('delete from howdah.cache_entry')
    await client.query('commit')
    await client.end()
    await expect.poll(() => cache.get('k')).toBeUndefined()
  })

  test('keeps to its budget', async () => {
    const cache = nearCache({ near: { maxStale: '10s', maxBytes: 20_000 } })
    await cache.setMany(
      Array.from({ length: 100 }, (_, at) => [`k${at}`, 'x'.repeat(500)] as const),
    )
    await warm(cache, 'k0')
    for (let at = 0; at < 100; at++) await cache.get(`k${at}`)
    const { near } = await cache.stats()
    expect(near?.bytes).toBeLessThanOrEqual(20_000)
    expect(near?.bytes).toBeGreaterThan(15_000)
    expect(near?.evictions).toBeGreaterThan(50)
  })

  test('counts a compressed value as it is kept, unpacked', async () => {
    const cache = nearCache({ compress: { above: 100 } })
    await cache.set('k', { text: 'x'.repeat(50_000) })
    await warm(cache, 'k')
    expect((await cache.stats()).near?.bytes).toBeGreaterThan(50_000)
  })

  test('tells of hits from memory, in events, statistics and traces', async () => {
    const cache = nearCache()
    await cache.set('k', 1)
    await warm(cache, 'k')
    const seen: unknown[] = []
    cache.on('hit', (key, near) => seen.push([key, near]))
    const traced: unknown[] = []
    const channel = tracingChannel('@howdah/cache:get')
    const handlers = {
      start: (context: unknown) => traced.push((context as { target: string }).target),
      end() {},
      asyncStart() {},
      asyncEnd() {},
      error() {},
    }
    channel.subscribe(handlers)
    try {
      const before = await cache.stats()
      await cache.get('k')
      const after = await cache.stats()
      expect(after.hits - before.hits).toBe(1)
      expect(after.nearHits - before.nearHits).toBe(1)
    } finally {
      channel.unsubscribe(handlers)
    }
    expect(seen).toEqual([['k', true]])
    expect(traced).toEqual([cache.name])
  })

  test('answers nothing from memory once it is closed', async () => {
    const cache = nearCache()
    await cache.set('k', 1)
    await warm(cache, 'k')
    await cache.close()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
  })

  test('refuses options that are not valid', () => {
    for (const near of [{ maxBytes: 0 }, { maxBytes: 1.5 }, null, 5]) {
      expect(() => nearCache({ near: near as never })).toThrow(
        expect.objectContaining({ code: 'CACHE_INVALID_OPTION' }),
      )
    }
    for (const maxStale of [0, 49, '2m', 'soon']) {
      expect(() => nearCache({ near: { maxStale: maxStale as never } })).toThrow(
        expect.objectContaining({ code: 'CORE_INVALID_DURATION' }),
      )
    }
    expect(() => nearCache({ consistency: 'weak' as never })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTION' }),
    )
  })
})
