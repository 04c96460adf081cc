import { PGlite } from '@electric-sql/pglite'
import { Database } from '@howdah/core'
import { findPgBouncer, startPgBouncer } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { Cache } from '../src/index.js'
import { exercise } from './exercise.js'
import { Bench } from './support.js'

const bench = new Bench()

const present = findPgBouncer() !== undefined
if (!present) notTested('the cache behind PgBouncer', 'there is no pgbouncer on this machine')

test.runIf(present)('a cache works behind PgBouncer in transaction mode', async () => {
  await using bouncer = await startPgBouncer({
    url: bench.database.url,
    poolMode: 'transaction',
    settings: { default_pool_size: 3 },
  })
  const pool = new pg.Pool({ connectionString: bouncer.url })
  // PgBouncer before 1.21 knows no prepared statements in transaction mode.
  const db = Database.from(pool, { prepare: false, listen: false })
  const caches = ['one', 'two'].map((namespace) => new Cache({ pool: db, namespace, ttl: '1h' }))
  await Promise.all(caches.map(exercise))
  // What a statement sets for itself does not stay on the connection for the next client.
  for (let i = 0; i < 6; i++) {
    const { rows } = await pool.query(
      `select current_setting('lock_timeout') as lock, coalesce(current_setting('howdah.cache_write', true), '') as write`,
    )
    expect(rows).toEqual([{ lock: '0', write: '' }])
  }
  await Promise.all(caches.map((cache) => cache.close()))
  await db.close()
  await pool.end()
})

test('a cache works on PGlite', async () => {
  const pglite = new PGlite()
  const db = Database.from(pglite)
  const cache = new Cache({ pool: db, ttl: '1h' })
  await exercise(cache)
  await cache.close()
  await db.close()
  await pglite.close()
}, 60_000)

test('a cache lives in a schema of any name', async () => {
  for (const schema of ['we "ird', "it's; --", 'ünï %I']) {
    const db = Database.from(bench.database.pool(), { schema })
    const cache = new Cache({ pool: db, ttl: '1h' })
    await exercise(cache)
    await cache.close()
    await db.close()
  }
})

test('caches of tenants work as others do', async () => {
  const db = Database.from(bench.otherPool)
  const cache = new Cache({ pool: db.tenant('acme'), namespace: 'of a tenant', ttl: '1h' })
  await exercise(cache)
  await cache.close()
})
