import { expect, test } from 'vitest'
import { fillKeys, mixedLoad, sizeOf } from './mixed-load.js'
import { Bench } from './support.js'

const bench = new Bench()

/** Rounds of so many calls, for the same on a slow machine. */
const CALLS = 4_000
const ROUNDS = 15
const KEYS = 500

test('the table of a mixed load on a fixed set of keys stops growing', async () => {
  const cache = bench.cache({ pool: bench.otherPool })
  await fillKeys(cache, KEYS)
  const sizes: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    let calls = 0
    await mixedLoad(cache, KEYS, () => ++calls > CALLS)
    // The server's own vacuum comes once a minute; what is deleted and written anew needs it.
    await bench.pool.query('vacuum howdah.cache_entry')
    sizes.push((await sizeOf(bench.pool)).bytes)
  }
  const early = Math.max(...sizes.slice(0, 3))
  const late = Math.max(...sizes.slice(-3))
  // Most rewrites touch no index: what they leave behind makes room without a vacuum.
  const heapOnly = async () => {
    const [row] = await bench.rows<{ share: number }>(
      `select (n_tup_hot_upd / greatest(n_tup_upd, 1)::float8) as share from pg_stat_user_tables
       where schemaname = 'howdah' and relname = 'cache_entry'`,
    )
    return row?.share
  }
  await expect.poll(heapOnly).toBeGreaterThan(0.7)
  // A snapshot of somebody else's, such as that of an ANALYZE, keeps what one round leaves behind. Without reuse it would be all rounds.
  expect(late).toBeLessThan(early * 3)
}, 60_000)
