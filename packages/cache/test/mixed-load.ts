import type pg from 'pg'
import type { Cache } from '../src/index.js'

const CALLERS = 64

/** Stores something under each key of the mixed load. */
export async function fillKeys(cache: Cache, keys: number): Promise<void> {
  const numbers = Array.from({ length: keys }, (_, i) => i)
  await cache.setMany(
    numbers.map((i) => [`key ${i}`, 'x'.repeat(100)] as const),
    { ttl: '10m' },
  )
  await Promise.all(numbers.map((i) => cache.increment(`counter key ${i}`, 1, { ttl: '10m' })))
}

/** Does a bit of everything on a fixed set of keys, until it is told to stop. Answers how many calls it made. */
export async function mixedLoad(cache: Cache, keys: number, until: () => boolean): Promise<number> {
  let calls = 0
  const caller = async () => {
    while (!until()) {
      const key = `key ${Math.floor(Math.random() * keys)}`
      const what = Math.random()
      if (what < 0.4) await cache.get(key)
      else if (what < 0.75)
        await cache.set(key, { text: 'x'.repeat(Math.random() * 200) }, { ttl: '10m' })
      else if (what < 0.85) await cache.increment(`counter ${key}`, 1, { ttl: '10m' })
      else if (what < 0.9) await cache.delete(key)
      else if (what < 0.95) await cache.touch(key, '10m')
      else await cache.getOrSet(key, () => 'loaded', { ttl: '10m', tags: ['t'] })
      calls++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return calls
}

/** What the entries take. */
interface Size {
  readonly bytes: number
  readonly heap: number
  readonly rows: number
  readonly dead: number
}

/** Bytes of the entries and their indexes, and what the server counts as dead. */
export async function sizeOf(pool: pg.Pool): Promise<Size> {
  const { rows } = await pool.query(
    `select pg_total_relation_size('howdah.cache_entry')::int8::float8 as bytes,
       pg_relation_size('howdah.cache_entry')::int8::float8 as heap, n_live_tup::float8 as rows, n_dead_tup::float8 as dead
     from pg_stat_user_tables where schemaname = 'howdah' and relname = 'cache_entry'`,
  )
  return rows[0]
}
