import { HowdahKeyv } from '@howdah/cache/keyv'
import { testDatabase } from '@howdah/testkit'
import { type Cache, createCache } from 'cache-manager'
import Keyv from 'keyv'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let caches = 0
const open: Cache[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(async () => {
  await Promise.all(open.map((cache) => cache.disconnect()))
  await database.close()
})

/** What the guide shows. */
function manager(on = pool, namespace = `test-${++caches}`, memory?: Keyv): Cache {
  const shared = new Keyv({ store: new HowdahKeyv({ pool: on }), namespace, throwOnErrors: true })
  const cache = createCache({ stores: memory ? [memory, shared] : [shared], ttl: 60_000 })
  open.push(cache)
  return cache
}

describe('cache-manager over HowdahKeyv', () => {
  test('sets, gets and deletes one key and many', async () => {
    const cache = manager()
    await cache.set('a', { n: 1 })
    await cache.mset<unknown>([
      { key: 'b', value: [2] },
      { key: 'c', value: 'three', ttl: 30_000 },
    ])
    expect(await cache.get('a')).toEqual({ n: 1 })
    expect(await cache.mget(['c', 'unknown', 'b'])).toEqual(['three', undefined, [2]])
    expect(await cache.del('a')).toBe(true)
    expect(await cache.mdel(['b', 'c'])).toBe(true)
    expect(await cache.mget(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
  })

  test('answers when an entry ends', async () => {
    const cache = manager()
    await cache.set('k', 1, 30_000)
    const left = ((await cache.ttl('k')) ?? 0) - Date.now()
    expect(left).toBeGreaterThan(10_000)
    expect(left).toBeLessThanOrEqual(30_000)
    await cache.set('short', 1, 1)
    await expect.poll(() => cache.get('short')).toBeUndefined()
  })

  test('wrap() loads once for every process', async () => {
    const [ours, theirs] = [manager(pool, 'wrapped'), manager(database.pool(), 'wrapped')]
    let loads = 0
    const load = async () => ({ load: ++loads })
    expect(await ours.wrap('k', load)).toEqual({ load: 1 })
    expect(await theirs.wrap('k', load)).toEqual({ load: 1 })
    expect(loads).toBe(1)
  })

  test('clear() empties its own namespace alone', async () => {
    const [one, other] = [manager(pool, 'm_n'), manager(pool, 'mxn')]
    await one.set('k', 1)
    await other.set('k', 2)
    await one.clear()
    expect([await one.get('k'), await other.get('k')]).toEqual([undefined, 2])
  })

  test('serves as the shared layer below memory', async () => {
    const [memory, shared] = [new Keyv(), manager()]
    const name = `test-${caches}`
    const layered = manager(pool, name, memory)
    await shared.set('k', 'value')
    expect(await layered.get('k')).toBe('value')
    await layered.set('k', 'newer')
    expect([await memory.get('k'), await shared.get('k')]).toEqual(['newer', 'newer'])
  })
})
