import { existsSync } from 'node:fs'
import { Database } from '@howdah/core'
import { Sessions } from '@howdah/session'
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'

/** Where Debian's package postgresql-15-cron is. */
const HOME = '/usr/lib/postgresql/15'
const there = existsSync(`${HOME}/lib/pg_cron.so`)
if (!there)
  notTested('pruning sessions by pg_cron', 'there is no postgresql-15-cron on this machine')

test.runIf(there)(
  'pg_cron prunes with no process of ours alive',
  { timeout: 150_000 },
  async () => {
    process.env['HOWDAH_PG_BIN_DIR'] = `${HOME}/bin`
    await using server = await startPostgres({
      major: 15,
      settings: {
        shared_preload_libraries: 'pg_cron',
        'cron.database_name': 'postgres',
        'cron.use_background_workers': true,
      },
    })
    const url = new URL(server.url)
    url.pathname = '/postgres'
    const pool = new pg.Pool({ connectionString: url.href })
    const sessions = new Sessions({ pool, pruneInterval: false })
    await sessions.create({ live: true })
    await sessions.create({}, { id: 'old' })
    await pool.query(
      `update howdah.session set expires_at = now(), expires_hour = 0 where id_hash = sha256('old')`,
    )
    await sessions.close()
    await Database.from(pool).close()
    await pool.query('create extension pg_cron')
    await pool.query(
      `select cron.schedule('howdah-sessions', '* * * * *', 'select howdah.session_prune()')`,
    )
    await expect
      .poll(async () => (await pool.query('select data from howdah.session')).rows, {
        timeout: 130_000,
      })
      .toEqual([{ data: '{"live":true}' }])
    await pool.end()
  },
)
