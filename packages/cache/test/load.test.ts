import { describe, expect, test } from 'vitest'
import type { Cache, LoadContext } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

/** Two caches that share nothing but the database, as in two processes. */
function two() {
  const namespace = bench.fresh()
  const other = bench.cache({ namespace, pool: bench.otherPool })
  return { namespace, ours: bench.cache({ namespace }), theirs: other }
}

/** A loader that runs until it is told what to answer. */
function slowLoader() {
  const called = deferred<LoadContext>()
  const { promise, resolve, reject } = deferred<unknown>()
  let calls = 0
  const load = (_key: string, context: LoadContext) => {
    calls++
    called.resolve(context)
    return promise
  }
  return { load, called: called.promise, resolve, reject, calls: () => calls }
}

/** A cache with a value whose time is over since five minutes, and which may be served for another hour. */
async function stale() {
  const caches = two()
  await caches.ours.set('k', 'old', { ttl: '5m', grace: '1h' })
  await bench.age(caches.namespace, '10 minutes')
  return caches
}

describe('getOrSet()', () => {
  test('loads once in all processes, and those who wait are answered what was stored', async () => {
    const { ours, theirs } = two()
    const slow = slowLoader()
    const first = ours.getOrSet('k', slow.load)
    await slow.called
    const second = theirs.getOrSet('k', () => 'theirs')
    slow.resolve('ours')
    expect(await Promise.all([first, second])).toEqual(['ours', 'ours'])
    expect(slow.calls()).toBe(1)
  })

  test('hands an error of the loader to those who waited for it, and to nobody else', async () => {
    const { ours, theirs } = two()
    const slow = slowLoader()
    const waiting = [ours.getOrSet('k', slow.load), ours.getOrSet('k', () => 'not called')]
    await slow.called
    const elsewhere = theirs.getOrSet('k', () => 'theirs')
    const error = new Error('no')
    slow.reject(error)
    const results = await Promise.allSettled(waiting)
    expect(results).toEqual(Array(2).fill({ status: 'rejected', reason: error }))
    expect(await elsewhere).toBe('theirs')
    expect(await ours.getOrSet('k', () => 'not called')).toBe('theirs')
  })

  test('takes a loader that throws at once as one that fails', async () => {
    const cache = bench.cache()
    const load = () => {
      throw new Error('at once')
    }
    await expect(cache.getOrSet('k', load)).rejects.toThrow('at once')
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.stats()).toMatchObject({ loads: 2, loadErrors: 1, fills: 1, entries: 1 })
  })

  test('answers what was loaded also where it cannot be stored, and says so', async () => {
    const cache = bench.cache({ maxValueBytes: 10 })
    const load = () => 'more than ten bytes'
    await expect(cache.getOrSet('k', load)).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' })
    expect(await cache.getOrSet('k', () => 'short')).toBe('short')
  })

  test('aborts a loader after hardTimeout, and loads again when asked again', async () => {
    const cache = bench.cache()
    const slow = slowLoader()
    const late = cache.getOrSet('k', slow.load, { hardTimeout: 20 })
    await expect(late).rejects.toMatchObject({ code: 'CACHE_LOAD_TIMEOUT' })
    expect((await slow.called).signal.aborted).toBe(true)
    expect(await cache.getOrSet('k', () => 'quick', { hardTimeout: '10s' })).toBe('quick')
    slow.resolve('too late')
    expect(await cache.get('k')).toBe('quick')
  })

  test('aborts its loaders when the cache is closed', async () => {
    const { ours, theirs } = two()
    const slow = slowLoader()
    const ending = ours.getOrSet('k', slow.load)
    const context = await slow.called
    const outcome = expect(ending).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
    await ours.close()
    await outcome
    expect(context.signal.aborted).toBe(true)
    expect(await theirs.getOrSet('k', () => 'theirs')).toBe('theirs')
  })

  test('lets the loader decide about time, tags, and whether to store at all', async () => {
    const cache = bench.cache({ ttl: '1h' })
    const load = (key: string, context: LoadContext) => {
      if (key === 'skipped') context.skip()
      context.ttl = '10m'
      context.tags.push('late')
      return key
    }
    expect(await cache.getOrSet('skipped', load)).toBe('skipped')
    expect(await cache.has('skipped')).toBe(false)
    expect(await cache.getOrSet('k', load, { ttl: '5h', tags: ['early'] })).toBe('k')
    expect(await cache.ttl('k')).toBeLessThanOrEqual(600_000)
    await cache.invalidateTags(['late'])
    expect(await cache.has('k')).toBe(false)
    await cache.getOrSet('k', load, { tags: ['early'] })
    await cache.invalidateTags(['early'])
    expect(await cache.has('k')).toBe(false)
  })

  test.each([null, undefined])('keeps a loaded %s for negativeTtl', async (nothing) => {
    const cache = bench.cache({ ttl: '1h' })
    const options = { negativeTtl: '1m' } as const
    expect(await cache.getOrSet('k', () => nothing, options)).toBe(nothing)
    expect(await cache.getOrSet('k', () => 'not called', options)).toBe(nothing)
    expect(await cache.ttl('k')).toBeLessThanOrEqual(60_000)
    expect(await cache.getOrSet('other', () => 0, options)).toBe(0)
    expect(await cache.ttl('other')).toBeGreaterThan(60_000)
  })
})

describe('grace', () => {
  test('answers the old value at once while one caller loads', async () => {
    const { ours, theirs } = await stale()
    const slow = slowLoader()
    const told: string[] = []
    ours.on('stale', (key) => told.push(key))
    expect(await ours.get('k')).toBeUndefined()
    expect(await ours.getOrSet('k', slow.load, { grace: '1h' })).toBe('old')
    await slow.called
    expect(await ours.getOrSet('k', slow.load, { grace: '1h' })).toBe('old')
    expect(await theirs.getOrSet('k', () => 'not called', { grace: '1h' })).toBe('old')
    slow.resolve('new')
    await expect.poll(() => theirs.get('k')).toBe('new')
    expect(slow.calls()).toBe(1)
    expect(told).toEqual(['k', 'k'])
    expect(await ours.stats()).toMatchObject({ loads: 1, staleHits: 2, fills: 1 })
  })

  test('waits for softTimeout first', async () => {
    const { ours } = await stale()
    const [slow, quick] = [slowLoader(), slowLoader()]
    quick.resolve('new')
    expect(await ours.getOrSet('k', slow.load, { softTimeout: 20 })).toBe('old')
    slow.reject(new Error('no'))
    await expect.poll(() => ours.getOrSet('k', quick.load, { softTimeout: '10s' })).toBe('new')
  })

  test.each(['0s', '10s'] as const)(
    'covers for a loader that fails, softTimeout %s',
    async (softTimeout) => {
      const { ours } = await stale()
      const errors: unknown[] = []
      ours.on('error', (error) => errors.push(error))
      const error = new Error('no')
      const options = { grace: '1h', softTimeout } as const
      expect(await ours.getOrSet('k', () => Promise.reject(error), options)).toBe('old')
      await expect.poll(() => errors).toEqual([error])
      expect(await ours.getOrSet('k', () => Promise.reject(error), options)).toBe('old')
    },
  )

  test('covers for a loader that takes longer than hardTimeout', async () => {
    const { ours } = await stale()
    const slow = slowLoader()
    const options = { softTimeout: '10s', hardTimeout: 20 } as const
    expect(await ours.getOrSet('k', slow.load, options)).toBe('old')
    expect((await slow.called).signal.aborted).toBe(true)
  })

  test('ends', async () => {
    const { ours, namespace } = await stale()
    await bench.age(namespace, '1 hour')
    expect(await ours.getOrSet('k', () => 'new', { grace: '1h' })).toBe('new')
  })

  test('does not serve what was deleted, or whose tag was invalidated', async () => {
    const { ours, namespace } = await stale()
    await ours.delete('k')
    expect(await ours.getOrSet('k', () => 'new')).toBe('new')
    await ours.set('tagged', 'old', { ttl: '5m', grace: '1h', tags: ['t'] })
    await bench.age(namespace, '10 minutes')
    await ours.invalidateTags(['t'])
    expect(await ours.getOrSet('tagged', () => 'new')).toBe('new')
  })

  test('a row that is swept or evicted meanwhile is not one that is being loaded', async () => {
    const { ours, theirs, namespace } = await stale()
    const slow = slowLoader()
    await bench.age(namespace, '2 hours')
    const loading = ours.getOrSet('k', slow.load)
    await slow.called
    const [{ swept } = { swept: -1 }] = await bench.rows<{ swept: number }>(
      'select howdah.cache_sweep() as swept',
    )
    await bench.pool.query(`select howdah.cache_evict($1, 0, 0)`, [namespace])
    const waiting = theirs.getOrSet('k', () => 'loaded twice')
    slow.resolve('new')
    expect([await loading, await waiting, swept]).toEqual(['new', 'new', 0])
  })
})

/** What makes a value that is being loaded one that must not be stored. */
const CHANGES: Record<
  string,
  (cache: Cache, client?: Parameters<Cache['set']>[2]) => Promise<unknown>
> = {
  set: (cache, client) => cache.set('k', 'newer', client),
  setMany: (cache, client) => cache.setMany([['k', 'newer']], client),
  add: (cache, client) => cache.add('k', 'newer', client),
  compareAndSet: (cache, client) => cache.compareAndSet('k', undefined, 'newer', client),
  increment: (cache, client) => cache.increment('k', 7, client),
  delete: (cache, client) => cache.delete('k', client),
  deleteMany: (cache, client) => cache.deleteMany(['other', 'k'], client),
  invalidateTags: (cache, client) => cache.invalidateTags(['t'], client),
  clear: (cache, client) => cache.clear(client),
}
const NAMES = Object.keys(CHANGES)
/** These hold the row of the key, so that nobody begins to load before they are committed. */
const holdsRow = (name: string) => name !== 'invalidateTags' && name !== 'clear'
const left = (name: string) =>
  /set|add/i.test(name) ? 'newer' : name === 'increment' ? 7 : undefined

/** Tells whether a loader runs, or somebody waits for the right to run it. */
async function begunOrWaiting(slow: ReturnType<typeof slowLoader>): Promise<boolean> {
  const waiting = await bench.rows(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%cache_lease%'`,
  )
  return slow.calls() > 0 || waiting.length > 0
}

const change = (name: string, cache: Cache, client?: Parameters<Cache['set']>[2]) =>
  CHANGES[name]?.(cache, client)

describe.each([
  ['a missing value', two],
  ['an old one', stale],
] as const)('what was loaded for %s does not come after a newer', (_what, prepare) => {
  const begin = async (cache: Cache) => {
    const slow = slowLoader()
    const loading = cache.getOrSet('k', slow.load, { tags: ['t'], grace: '1h', ttl: '1h' })
    return { slow, loading }
  }
  /** Ends the load and waits until it has been decided whether it is stored. */
  const end = async (cache: Cache, slow: ReturnType<typeof slowLoader>) => {
    const filled = deferred<boolean>()
    cache.on('fill', (_key, stored) => filled.resolve(stored))
    slow.resolve('loaded')
    return filled.promise
  }

  test.each(NAMES)('%s', async (name) => {
    const { ours, theirs } = await prepare()
    const { slow, loading } = await begin(ours)
    await slow.called
    await change(name, theirs)
    expect(await end(ours, slow)).toBe(false)
    await loading
    expect(await theirs.get('k')).toBe(left(name))
  })

  test.each(NAMES)('%s in a transaction that commits while it is loaded', async (name) => {
    const { ours, theirs } = await prepare()
    const { slow, loading } = await begin(ours)
    await slow.called
    const client = await bench.begin()
    await change(name, theirs, { client })
    await client.query('commit')
    expect(await end(ours, slow)).toBe(false)
    await loading
    expect(await theirs.get('k')).toBe(left(name))
  })

  test.each(NAMES)('%s in a transaction that commits after it was loaded', async (name) => {
    const { ours, theirs } = await prepare()
    const { slow, loading } = await begin(ours)
    await slow.called
    const client = await bench.begin()
    await change(name, theirs, { client })
    await end(ours, slow)
    await loading
    await client.query('commit')
    expect(await theirs.get('k')).toBe(left(name))
  })

  test.each(NAMES)('%s in a transaction that began before', async (name) => {
    const { ours, theirs } = await prepare()
    await theirs.has('k')
    const client = await bench.begin()
    await change(name, theirs, { client })
    const { slow, loading } = await begin(ours)
    await expect.poll(() => begunOrWaiting(slow), { interval: 5 }).toBe(true)
    expect(slow.calls()).toBe(holdsRow(name) ? 0 : 1)
    await client.query('commit')
    if (holdsRow(name)) {
      slow.resolve('loaded')
      const value = await loading
      expect(await theirs.get('k')).toBe(value)
      expect(value).toBe(left(name) ?? 'loaded')
    } else {
      expect(await end(ours, slow)).toBe(false)
      expect(await theirs.get('k')).toBeUndefined()
    }
  })

  test.each(NAMES)('%s in a REPEATABLE READ transaction that began before', async (name) => {
    const { ours, theirs } = await prepare()
    await theirs.has('k')
    const client = await bench.begin('repeatable read')
    await change(name, theirs, { client })
    const { slow, loading } = await begin(ours)
    await expect.poll(() => begunOrWaiting(slow), { interval: 5 }).toBe(true)
    expect(slow.calls()).toBe(holdsRow(name) ? 0 : 1)
    await client.query('commit')
    slow.resolve('loaded')
    await loading
    if (holdsRow(name)) expect(await theirs.get('k')).toBe(left(name) ?? 'loaded')
    else await expect.poll(() => theirs.get('k')).toBeUndefined()
  })

  test.each(['invalidateTags', 'clear'])(
    '%s in a REPEATABLE READ transaction with an older snapshot',
    async (name) => {
      const { ours, theirs } = await prepare()
      await theirs.has('k')
      const client = await bench.begin('repeatable read')
      await client.query('select count(*) from howdah.cache_namespace')
      const { slow, loading } = await begin(ours)
      await slow.called
      await change(name, theirs, { client })
      await end(ours, slow)
      await loading
      await client.query('commit')
      expect(await theirs.get('k')).toBeUndefined()
    },
  )
})
