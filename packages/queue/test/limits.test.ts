import { describe, expect, test } from 'vitest'
import { runJobs } from '../src/adapters/testing.js'
import { Discard } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()
const turn = () => new Promise(setImmediate)

describe('concurrency over all processes', () => {
  test('is never exceeded by four workers in two processes, and a dead one gives its places back', async () => {
    const jobs = bench.queue<number>({ concurrency: 3 })
    const other = bench.queue<number>({ pool: bench.database.pool() }, jobs.name)
    await jobs.addMany(Array.from({ length: 200 }, (_, n) => n))
    let running = 0
    let most = 0
    let done = 0
    const handler = async () => {
      most = Math.max(most, ++running)
      for (let n = 0; n < 5; n++) await turn()
      running--
      done++
    }
    const workers = [jobs, jobs, other, other].map((queue) =>
      queue.work(handler, { concurrency: 5, pollInterval: 20, lease: 600 }),
    )
    await expect.poll(() => done).toBeGreaterThan(50)
    await workers[0]?.close()
    await workers[2]?.close()
    await expect.poll(() => done).toBe(200)
    expect(most).toBeLessThanOrEqual(3)
    expect(most).toBeGreaterThan(1)
  })
})

describe('rate', () => {
  test('lets no more start in any window than max and burst', async () => {
    const jobs = bench.queue<number>({ rate: { max: 20, per: 500, burst: 5 } })
    await jobs.addMany(Array.from({ length: 60 }, (_, n) => n))
    let done = 0
    jobs.work(() => void done++, { concurrency: 10 })
    await expect.poll(() => done, { timeout: 20_000 }).toBe(60)
    const rows = await bench.rows<{ at: number; n: number }>(
      `select extract(epoch from started_at)::float8 * 1000 as at, cardinality(ids) as n from howdah.queue_done
       where queue = (select id from howdah.queue where name = $1) order by started_at`,
      [jobs.name],
    )
    for (const { at } of rows) {
      const started = rows.filter((row) => row.at >= at && row.at < at + 500)
      expect(started.reduce((sum, row) => sum + row.n, 0)).toBeLessThanOrEqual(25)
    }
  })
})

describe('groups', () => {
  test('are first in, first out, also through retries, and take turns', async () => {
    const jobs = bench.queue<number>({ groups: { concurrency: 1 } })
    await jobs.addMany(
      Array.from({ length: 300 }, (_, n) => n),
      () => ({ group: 'large' }),
    )
    await jobs.addMany([1000, 1001, 1002], { group: 'small' })
    const started: number[] = []
    const running = new Map<string, number>()
    const failed = new Set<number>()
    jobs.work(
      async (job) => {
        const group = job.group ?? ''
        expect(running.get(group) ?? 0).toBe(0)
        running.set(group, 1)
        await turn()
        running.set(group, 0)
        if (job.payload % 7 === 3 && !failed.has(job.payload)) {
          failed.add(job.payload)
          throw new Error('again')
        }
        started.push(job.payload)
      },
      { concurrency: 8, pollInterval: 10 },
    )
    await expect.poll(() => started.length, { timeout: 25_000 }).toBe(303)
    const large = started.filter((n) => n < 1000)
    expect(large).toEqual([...large].sort((a, b) => a - b))
    expect(started.indexOf(1002)).toBeLessThan(20)
    // The end of the last one may still be on its way.
    await expect.poll(() => left(jobs.name)).toEqual([])
  })

  test('get their places back from every kind of end', async () => {
    const jobs = bench.queue<string>({ groups: { concurrency: 1 }, attempts: 1 })
    const add = (payload: string, options = {}) => jobs.add(payload, { group: 'g', ...options })
    await add('fails')
    await add('is discarded')
    await add('completes')
    const cancelled = await add('is cancelled')
    await add('expires', { expireAfter: 1 })
    await add('answers')
    expect(await jobs.cancel(cancelled)).toBe('cancelled')
    const { completed, failed } = await runJobs(jobs, (job) => {
      if (job.payload === 'fails') throw new Error('no')
      if (job.payload === 'is discarded') throw new Discard()
      return job.payload === 'answers' ? 1 : undefined
    })
    expect(completed.map((job) => job.payload)).toEqual(['completes', 'answers'])
    expect(failed.map((job) => job.payload)).toEqual(['fails', 'is discarded'])
    expect(await left(jobs.name)).toEqual([])
    expect((await jobs.stats()).totals).toMatchObject({ cancelled: 2, expired: 1, died: 1 })
  })

  test('that are changed or given up let go on what waits for a place', async () => {
    const name = bench.fresh()
    const jobs = bench.queue<number>({ groups: { concurrency: 1 } }, name)
    await jobs.addMany(
      Array.from({ length: 12 }, (_, n) => n),
      { group: 'g' },
    )
    const running = new Set<number>()
    const finish = deferred()
    const worker = jobs.work(
      async (job) => {
        running.add(job.payload)
        await finish.promise
      },
      { concurrency: 20, pollInterval: 10 },
    )
    await expect.poll(() => running.size).toBe(1)
    await expect
      .poll(async () => (await left(name)).filter((row) => row.kind === 'parked').length)
      .toBe(11)
    await bench.queue<number>({ groups: { concurrency: 3 } }, name).stats()
    await expect.poll(() => [...running].sort((a, b) => a - b)).toEqual([0, 1, 2])
    await bench.queue<number>({ groups: null }, name).stats()
    await expect.poll(() => running.size).toBe(12)
    finish.resolve()
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0 })
    await worker.close()
    expect(await left(name)).toEqual([])
  })

  test('that are given up while a worker waits for the lock of the queue leave nothing parked', async () => {
    const name = bench.fresh()
    const jobs = bench.queue<number>({ groups: { concurrency: 1 } }, name)
    await jobs.addMany([0, 1, 2, 3], { group: 'g' })
    const client = await bench.database.pool().connect()
    try {
      await client.query('begin')
      await client.query(`select howdah.queue_open($1, '{"group_concurrency": null}')`, [name])
      let done = 0
      jobs.work(() => void done++, { concurrency: 4 })
      await expect
        .poll(() =>
          bench.rows(
            `select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`,
          ),
        )
        .not.toEqual([])
      await client.query('commit')
      await expect.poll(() => done).toBe(4)
    } finally {
      client.release(true)
    }
  })

  test('are refused where the queue has none', async () => {
    const jobs = bench.queue<string>()
    const refused = { code: 'QUEUE_INVALID_OPTION' }
    await expect(jobs.add('x', { group: 'g' })).rejects.toMatchObject(refused)
    await expect(jobs.addMany(['x'], { group: 'g' })).rejects.toMatchObject(refused)
    expect((await jobs.stats()).waiting).toBe(0)
  })
})

/** What is left of groups. */
async function left(name: string) {
  return bench.rows<{ kind: string }>(
    `select 'group' as kind from howdah.queue_group where queue = (select id from howdah.queue where name = $1)
     union all select 'parked' from howdah.queue_parked where queue = (select id from howdah.queue where name = $1)`,
    [name],
  )
}
