import { existsSync } from 'node:fs'
import { Database } from '@howdah/core'
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { Queue } from '../src/index.js'
import { installPgmq } from './pgmq-support.js'

/** Where Debian's package postgresql-15-partman is. */
const EXTENSION = '/usr/share/postgresql/15/extension/pg_partman.control'
const there = existsSync(EXTENSION)
if (!there)
  notTested('partitioned queues of pgmq', 'there is no postgresql-15-partman on this machine')

test.runIf(there)(
  'jobs in a queue of pgmq that pg_partman divides',
  { timeout: 60_000 },
  async ({ skip }) => {
    process.env['HOWDAH_PG_BIN_DIR'] = '/usr/lib/postgresql/15/bin'
    await using server = await startPostgres({ major: 15 })
    const { url } = await server.createDatabase()
    const pool = new pg.Pool({ connectionString: url })
    const pgmq = await installPgmq(pool)
    if (!pgmq) {
      await pool.end()
      skip()
    }
    await pool.query('create schema partman')
    await pool.query('create extension pg_partman schema partman')
    const jobs = new Queue<number>('parted', {
      pool,
      engine: { name: 'pgmq', partitioned: { interval: '1000', retention: '10000' } },
    })
    await jobs.addMany(Array.from({ length: 50 }, (_, n) => n))
    const seen = new Set<number>()
    jobs.work((job) => void seen.add(job.payload), { pollInterval: 10 })
    await expect.poll(() => seen.size).toBe(50)
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0, dead: 0 })
    const { rows } = await pool.query(`select relkind from pg_class where relname = 'q_parted'`)
    expect(rows).toEqual([{ relkind: 'p' }])
    await jobs.close()
    await Database.from(pool).close()
    await pool.end()
  },
)
