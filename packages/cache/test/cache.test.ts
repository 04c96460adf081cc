import { Database } from '@howdah/core'
import { testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cache } from '../src/index.js'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let caches = 0

/** A cache of its own for each test, on the given pool or the shared one. */
function cacheOn(on: pg.Pool = pool, namespace = `test-${++caches}`) {
  return new Cache({ pool: on, namespace })
}

/** Makes the entries of a cache as old as if the time had passed. */
async function age(namespace: string, interval: string) {
  await pool.query(
    `update howdah.cache_entry set expires_at = expires_at - $2::interval,
       expiry_bucket = (extract(epoch from expires_at - $2::interval) / 300)::int
     where namespace = (select id from howdah.cache_namespace where name = $1)`,
    [namespace, interval],
  )
}

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

describe('get() and set()', () => {
  test('give back what was stored, to every process', async () => {
    const ours = cacheOn(pool, 'shared')
    const theirs = cacheOn(database.pool(), 'shared')
    await ours.set('k', { a: [1, 'two', null] })
    expect(await theirs.get('k')).toEqual({ a: [1, 'two', null] })
    expect(await theirs.get('other')).toBeUndefined()
  })

  test('tell a cached null from a miss', async () => {
    const cache = cacheOn()
    await cache.set('absent', null)
    expect(await cache.get('absent')).toBeNull()
  })

  test('keep namespaces apart, whatever characters they share', async () => {
    const [one, other] = [cacheOn(pool, 'a_b'), cacheOn(pool, 'axb')]
    await one.set('k', 1)
    await other.set('k', 2)
    await one.delete('k')
    expect([await one.get('k'), await other.get('k')]).toEqual([undefined, 2])
  })

  test('hold any value JSON can say, under any string', async () => {
    const cache = cacheOn()
    const key = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 700 }),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('__proto__', 'constructor', '\0', '\ud800', '\udfff', "'; drop table x", '#'),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(key, fc.jsonValue()), { maxLength: 20 }),
        async (entries) => {
          const model = new Map(entries)
          await Promise.all(entries.map(([k, v]) => cache.set(k, v)))
          const found = await Promise.all([...model.keys()].map((k) => cache.get(k)))
          expect(found).toEqual([...model.values()].map((v) => JSON.parse(JSON.stringify(v))))
        },
      ),
      { numRuns: 50 },
    )
  })

  test('do not confuse keys that look alike to UTF-8 or to the digest', async () => {
    const cache = cacheOn()
    const keys = ['\ud800', '\ud801', '\ufffd', 'x'.repeat(600), `${'x'.repeat(599)}y`, '#', '##']
    await Promise.all(keys.map((key, i) => cache.set(key, i)))
    expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(keys.map((_, i) => i))
  })

  test('keep the order in which one process made its calls', async () => {
    const cache = cacheOn()
    const step = fc.tuple(
      fc.constantFrom('get', 'set', 'delete'),
      fc.constantFrom('a', 'b'),
      fc.nat(),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        await Promise.all([cache.delete('a'), cache.delete('b')])
        const model = new Map<string, number>()
        const expected: unknown[] = []
        const actual = await Promise.all(
          steps.map(([name, key, value]) => {
            if (name === 'get') {
              expected.push(model.get(key))
              return cache.get(key)
            }
            if (name === 'delete') {
              expected.push(model.delete(key))
              return cache.delete(key)
            }
            model.set(key, value)
            expected.push(undefined)
            return cache.set(key, value)
          }),
        )
        expect(actual).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  test('join the transaction of the caller', async () => {
    const cache = cacheOn()
    const client = await pool.connect()
    await client.query('begin')
    await cache.set('k', 'inside', { client })
    expect(await cache.get('k')).toBeUndefined()
    await client.query('rollback')
    expect(await cache.get('k')).toBeUndefined()
    await client.query('begin')
    await cache.set('k', 'inside', { client })
    await client.query('commit')
    expect(await cache.get('k')).toBe('inside')
    await client.query('begin')
    expect(await cache.delete('k', { client })).toBe(true)
    await client.query('rollback')
    client.release()
    expect(await cache.get('k')).toBe('inside')
  })
})

describe('expiry', () => {
  test('hides an entry once its time has passed by the database clock', async () => {
    const cache = cacheOn(pool, 'aging')
    await cache.set('k', 1, { ttl: '10m' })
    await cache.set('forever', 1)
    await age('aging', '9 minutes')
    expect(await cache.get('k')).toBe(1)
    await age('aging', '2 minutes')
    expect([await cache.get('k'), await cache.get('forever')]).toEqual([undefined, 1])
    expect(await cache.delete('k')).toBe(false)
    await cache.close()
  })

  test('removes what has expired in the background', async () => {
    const cache = new Cache({ pool, namespace: 'swept', ttl: '10m' })
    await Promise.all(Array.from({ length: 1200 }, (_, i) => cache.set(`k${i}`, i)))
    await cache.close()
    await age('swept', '1 hour')
    const sweeper = cacheOn(pool, 'sweeper')
    await sweeper.set('k', 1, { ttl: '1h' })
    await expect
      .poll(async () => {
        const { rowCount } = await pool.query(
          `select from howdah.cache_entry
           where namespace = (select id from howdah.cache_namespace where name = 'swept')`,
        )
        return rowCount
      })
      .toBe(0)
    expect(await sweeper.get('k')).toBe(1)
    await sweeper.close()
  })
})

describe('getOrSet()', () => {
  test('loads once for all who ask at the same time', async () => {
    const cache = cacheOn()
    let loads = 0
    const load = async () => ++loads
    const values = await Promise.all(Array.from({ length: 50 }, () => cache.getOrSet('k', load)))
    expect(values).toEqual(new Array(50).fill(1))
    expect(await cache.getOrSet('k', load)).toBe(1)
    expect(loads).toBe(1)
  })

  test('hands the error of the loader to those who waited, and loads again', async () => {
    const cache = cacheOn()
    const failing = () => Promise.reject(new Error('no'))
    const results = await Promise.allSettled([
      cache.getOrSet('k', failing),
      cache.getOrSet('k', failing),
    ])
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected'])
    expect(await cache.getOrSet('k', () => 'yes')).toBe('yes')
  })

  test.each(['set', 'delete'] as const)(
    'does not write over a %s that came while it loaded',
    async (name) => {
      const cache = cacheOn()
      let finish: ((value: string) => void) | undefined
      const load = () => new Promise<string>((resolve) => (finish = resolve))
      const slow = cache.getOrSet('k', load)
      await expect.poll(() => finish).toBeDefined()
      await (name === 'set' ? cache.set('k', 'newer') : cache.delete('k'))
      finish?.('older')
      expect(await slow).toBe('older')
      expect(await cache.get('k')).toBe(name === 'set' ? 'newer' : undefined)
    },
  )

  test('stores undefined and null like other values', async () => {
    const cache = cacheOn()
    expect(await cache.getOrSet('k', () => undefined)).toBeUndefined()
    expect(await cache.has('k')).toBe(true)
    expect(await cache.getOrSet('k', () => 'not called')).toBeUndefined()
    expect(await cache.getOrSet('n', () => null)).toBeNull()
    expect(await cache.getOrSet('n', () => 'not called')).toBeNull()
  })
})

describe('bad input', () => {
  test.each([
    [{ namespace: '' }, 'CACHE_INVALID_OPTION'],
    [{ namespace: 'a\0' }, 'CACHE_INVALID_OPTION'],
    [{ namespace: 'x'.repeat(513) }, 'CACHE_INVALID_OPTION'],
    [{ maxValueBytes: 0 }, 'CACHE_INVALID_OPTION'],
    [{ ttl: 'soon' as '1s' }, 'CORE_INVALID_DURATION'],
    [{ ttl: 0 }, 'CORE_INVALID_DURATION'],
  ])('is refused at construction: %j', (options, code) => {
    expect(() => new Cache({ pool, ...options })).toThrow(expect.objectContaining({ code }))
  })

  test('is refused before anything is written', async () => {
    const cache = new Cache({ pool, namespace: 'strict', maxValueBytes: 100 })
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const bad: [unknown, string][] = [
      [() => 1, 'CACHE_INVALID_VALUE'],
      [Symbol('s'), 'CACHE_INVALID_VALUE'],
      [{ nested: 1n }, 'CACHE_INVALID_VALUE'],
      [new Map([[1, 2]]), 'CACHE_INVALID_VALUE'],
      [new Uint16Array(3), 'CACHE_INVALID_VALUE'],
      [Buffer.alloc(101), 'CACHE_VALUE_TOO_LARGE'],
      [cyclic, 'CACHE_INVALID_VALUE'],
      ['é'.repeat(51), 'CACHE_VALUE_TOO_LARGE'],
    ]
    for (const [value, code] of bad) {
      await expect(cache.set('k', value)).rejects.toMatchObject({ code })
    }
    await expect(cache.set('k', 1, { ttl: -1 })).rejects.toMatchObject({
      code: 'CORE_INVALID_DURATION',
    })
    await expect(cache.get(7 as unknown as string)).rejects.toMatchObject({
      code: 'CACHE_INVALID_KEY',
    })
    expect(await cache.get('k')).toBeUndefined()
    await cache.set('k', 'é'.repeat(50))
    await cache.close()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
  })

  test('does not reach the prototype of what is read', async () => {
    const cache = cacheOn()
    await cache.set('k', JSON.parse('{"__proto__": {"admin": true}}'))
    const value = await cache.get<Record<string, unknown>>('k')
    expect(value?.['admin']).toBeUndefined()
    expect(Object.hasOwn(value ?? {}, '__proto__')).toBe(true)
  })
})

test('lives in a schema of any name', async () => {
  const db = Database.from(pool, { schema: 'we "ird' })
  const cache = new Cache({ pool: db })
  await cache.set('k', 1, { ttl: '1h' })
  expect(await cache.get('k')).toBe(1)
  await cache.close()
})
