import { existsSync } from 'node:fs'
import { Database } from '@howdah/core'
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { runJobs } from '../src/adapters/testing.js'
import { Queue } from '../src/index.js'

/** Where Debian's package postgresql-15-cron is. */
const HOME = '/usr/lib/postgresql/15'
const there = existsSync(`${HOME}/lib/pg_cron.so`)
if (!there) notTested('schedules by pg_cron', 'there is no postgresql-15-cron on this machine')

test.runIf(there)(
  'the driver pg_cron fires with no process alive',
  {
    timeout: 150_000,
  },
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
    await pool.query('create extension pg_cron')
    const schema = 'cron "jobs"'
    const db = Database.from(pool, { schema })
    const jobs = new Queue<string>('by-cron', { pool: db })
    const driver = { driver: 'pg_cron' } as const
    const refused = { code: 'QUEUE_INVALID_OPTION' }
    await expect(
      jobs.schedule('s', '0 3 * * *', 'x', { ...driver, timezone: 'Asia/Tokyo' }),
    ).rejects.toMatchObject(refused)
    await expect(jobs.schedule('s', '0 0 3 * * *', 'x', driver)).rejects.toMatchObject(refused)
    await expect(jobs.schedule('s', { every: '90s' }, 'x', driver)).rejects.toMatchObject(refused)
    await expect(
      jobs.schedule('s', '@daily', 'x', { ...driver, catchUp: 'all' }),
    ).rejects.toMatchObject(refused)
    expect(await jobs.schedules.list()).toEqual([])

    await jobs.schedule('s', '* * * * *', 'old', driver)
    await jobs.schedule('s', '* * * * *', 'new', driver)
    await jobs.schedule('gone', '* * * * *', 'gone', driver)
    expect(await jobs.schedules.get('s')).toMatchObject({ driver: 'pg_cron', nextAt: undefined })
    expect(await jobs.schedules.remove('gone')).toBe(true)
    const registered = async () => (await pool.query('select jobname from cron.job')).rows.length
    expect(await registered()).toBe(1)
    await jobs.schedules.pause('s')
    expect(await registered()).toBe(0)
    await jobs.schedules.resume('s')
    expect(await registered()).toBe(1)
    await jobs.close()

    // Nobody of ours is there.
    const again = new Queue<string>('by-cron', { pool: db })
    await expect.poll(() => again.stats(), { timeout: 130_000 }).toMatchObject({ waiting: 1 })
    const { completed } = await runJobs(again, () => {})
    expect(completed.map((job) => job.payload)).toEqual(['new'])
    const [run] = await again.schedules.runs('s')
    expect(run).toMatchObject({ job: completed[0]?.id, outcome: 'completed' })
    expect((run?.scheduledAt.getTime() ?? 1) % 60_000).toBe(0)
    // Back to our own driver: pg_cron is not to fire it too.
    await again.schedule('s', '* * * * *', 'ours')
    expect(await registered()).toBe(0)
    await again.close()
    await db.close()
    await pool.end()
  },
)
