import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advanceTime, runJobs } from '../src/adapters/testing.js'
import { Discard, type Job, type Queue } from '../src/index.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

describe('cancel()', () => {
  test('takes a job from wherever it waits', async () => {
    const jobs = bench.queue<string>()
    const waiting = await jobs.add('waiting')
    const delayed = await jobs.add('delayed', { delay: '1h' })
    const promoted = await jobs.add('promoted', { delay: '1h', priority: 3 })
    await jobs.pause()
    for (const id of [waiting, delayed, promoted]) expect(await jobs.cancel(id)).toBe('cancelled')
    expect(await jobs.cancel(waiting)).toBe('ended')
    expect(await jobs.cancel('999999')).toBe('unknown')
    expect((await jobs.get(delayed))?.state).toBe('cancelled')
    expect(await jobs.stats()).toMatchObject({ waiting: 0, delayed: 0, totals: { cancelled: 3 } })
  })

  test('aborts a job that runs in another process, which ends as cancelled if it throws', async () => {
    const jobs = bench.queue<string>()
    const id = await jobs.add('x')
    const started = deferred<Job<string>>()
    jobs.work(async (job) => {
      started.resolve(job)
      await new Promise((_resolve, reject) => {
        job.signal.addEventListener('abort', () => reject(job.signal.reason))
      })
    })
    await started.promise
    const other = bench.queue<string>({ pool: bench.database.pool() }, jobs.name)
    expect(await other.cancel(id)).toBe('cancelling')
    await expect.poll(() => other.get(id)).toMatchObject({ state: 'cancelled' })
    await expect(other.result(id)).rejects.toMatchObject({ code: 'QUEUE_JOB_FAILED' })
    expect(await bench.rows('select 1 from howdah.queue_cancel')).toEqual([])
  })

  test('commits with the transaction of the caller', async () => {
    const jobs = bench.queue<string>()
    const id = await jobs.add('x')
    const client = await bench.pool.connect()
    await client.query('begin')
    expect(await jobs.cancel(id, { client })).toBe('cancelled')
    await client.query('rollback')
    client.release()
    expect((await jobs.get(id))?.state).toBe('waiting')
  })
})

describe('reschedule()', () => {
  test('changes priority and time of what waits, and refuses what does not', async () => {
    const jobs = bench.queue<string>()
    const ids = await jobs.addMany(['a', 'b', 'c'])
    expect(await jobs.reschedule(ids[2] as string, { priority: 5 })).toBe(true)
    expect(await jobs.reschedule(ids[0] as string, { delay: '1h' })).toBe(true)
    expect(await jobs.stats()).toMatchObject({ waiting: 2, delayed: 1 })
    const { completed } = await runJobs(jobs, () => {})
    expect(completed.map((job) => job.payload)).toEqual(['c', 'b'])
    expect(await jobs.reschedule(ids[2] as string, { priority: 1 })).toBe(false)
    expect(await jobs.reschedule(ids[0] as string, { delay: 0 })).toBe(true)
    expect((await runJobs(jobs, () => {})).completed.length).toBe(1)
  })
})

describe('pause() and resume()', () => {
  test('hold for every process, and wake sleeping workers', async () => {
    const jobs = bench.queue<number>()
    const seen: number[] = []
    jobs.work((job) => void seen.push(job.payload), { pollInterval: '1h' })
    await jobs.add(1)
    await expect.poll(() => seen).toEqual([1])
    const other = bench.queue<number>({ pool: bench.database.pool() }, jobs.name)
    await other.pause()
    await jobs.add(2)
    await other.add(3)
    expect(await jobs.stats()).toMatchObject({ waiting: 2, paused: true })
    expect(seen).toEqual([1])
    await other.resume()
    await expect.poll(() => seen.toSorted()).toEqual([1, 2, 3])
  })
})

describe('list() and get()', () => {
  test('show jobs of every state, page by page', async () => {
    const jobs = bench.queue<number>({ attempts: 1 })
    await jobs.addMany([1, 2, 3, 4, 5])
    await jobs.add(6, { delay: '1h' })
    const first = await jobs.list({ limit: 2 })
    const second = await jobs.list({ limit: 2, after: first.next })
    const third = await jobs.list({ limit: 2, after: second.next })
    const payloads = [first, second, third].flatMap((page) => page.jobs.map((job) => job.payload))
    expect(payloads).toEqual([1, 2, 3, 4, 5])
    expect(third.next).toBeUndefined()
    await runJobs(jobs, (job) => {
      if (job.payload === 2) throw new Error('two')
      if (job.payload === 3) throw new Discard('three')
      return job.payload === 4 ? { four: true } : undefined
    })
    const states = async (state: 'completed' | 'failed' | 'discarded' | 'delayed') =>
      (await jobs.list({ state })).jobs.map((job) => job.payload).sort()
    expect(await states('completed')).toEqual([1, 4, 5])
    expect(await states('failed')).toEqual([2])
    expect(await states('discarded')).toEqual([3])
    expect(await states('delayed')).toEqual([6])
    const pages: number[] = []
    for (let after: string | undefined, more = true; more; ) {
      const page = await jobs.list({ state: 'completed', limit: 1, after })
      pages.push(...page.jobs.map((job) => job.payload))
      after = page.next
      more = after !== undefined
    }
    expect(pages.sort()).toEqual([1, 4, 5])
    const [failed] = (await jobs.list({ state: 'failed' })).jobs
    expect(failed).toMatchObject({ state: 'failed', failures: 1, crashes: 0, attempts: 1 })
    expect(failed?.error).toContain('two')
    expect(failed?.finishedAt).toBeInstanceOf(Date)
    expect(await jobs.get('1'.padEnd(15, '0'))).toBeUndefined()
  })
})

test('history is swept by outcome, each after its time', async () => {
  const jobs = bench.queue<string>({
    attempts: 1,
    keep: { completed: '1h', failed: '3h', cancelled: '2h' },
  })
  await jobs.addMany(['completes', 'answers', 'fails'])
  await jobs.cancel(await jobs.add('cancelled', { delay: '9h' }))
  await runJobs(jobs, (job) => {
    if (job.payload === 'fails') throw new Error('no')
    return job.payload === 'answers' ? 1 : undefined
  })
  const kept = async () => {
    await bench.pool.query(
      'select howdah.queue_sweep(id, 1000) from howdah.queue where name = $1',
      [jobs.name],
    )
    const rows = await bench.rows<{ payload: string }>(
      'select payload from howdah.queue_job where queue = (select id from howdah.queue where name = $1)',
      [jobs.name],
    )
    return rows.map((row) => row.payload).sort()
  }
  expect(await kept()).toEqual(['answers', 'cancelled', 'completes', 'fails'])
  await advanceTime(jobs, '61m')
  expect(await kept()).toEqual(['cancelled', 'fails'])
  await advanceTime(jobs, '1h')
  expect(await kept()).toEqual(['fails'])
  await advanceTime(jobs, '1h')
  expect(await kept()).toEqual([])
  expect(await jobs.stats()).toMatchObject({ dead: 0, totals: { died: 1, completed: 2 } })
})

test('stats() equal what the tables hold, after any history', { timeout: 60_000 }, async () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('add'), n: fc.integer({ min: 1, max: 5 }), options: options() }),
    fc.record({
      do: fc.constantFrom('run', 'cancel', 'redrive', 'purge', 'clear', 'advance', 'fold'),
    }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 12 }), async (actions) => {
      const jobs = bench.queue<number>({ attempts: 2, backoff: 60_000, groups: { concurrency: 1 } })
      const ids: string[] = []
      await jobs.stats()
      for (const step of actions) {
        if ('options' in step) {
          ids.push(
            ...(await jobs.addMany(
              Array.from({ length: step.n }, (_, n) => n),
              step.options,
            )),
          )
        } else await perform(step.do, jobs, ids)
        await expectExact(jobs)
      }
      await jobs.close()
    }),
    { numRuns: 25 },
  )
})

function options() {
  return fc.record(
    {
      delay: fc.constantFrom(1, 3_600_000),
      priority: fc.integer({ min: -2, max: 2 }),
      expireAfter: fc.constantFrom(1, 3_600_000),
      group: fc.constantFrom('a', 'b'),
      key: fc.constantFrom('k', 'l'),
    },
    { requiredKeys: [] },
  )
}

async function perform(what: string, jobs: Queue<number>, ids: string[]): Promise<void> {
  const id = ids[Math.floor(ids.length / 2)]
  if (what === 'cancel' && id !== undefined) await jobs.cancel(id)
  else if (what === 'redrive') await jobs.redrive()
  else if (what === 'purge') await jobs.purgeDead()
  else if (what === 'clear') await jobs.clear()
  else if (what === 'advance') await advanceTime(jobs, '2m')
  else if (what === 'fold') {
    await bench.pool.query('select howdah.queue_fold(id) from howdah.queue where name = $1', [
      jobs.name,
    ])
  } else if (what === 'run') {
    await runJobs(jobs, (job) => {
      if (job.payload === 2) throw new Error('two')
      if (job.payload === 3) throw new Discard()
      return job.payload === 4 ? 'four' : undefined
    })
  }
}

async function expectExact(jobs: Queue<number>): Promise<void> {
  const [counted] = await bench.rows(
    `with q as (select id from howdah.queue where name = $1)
     select ((select count(*) from howdah.queue_ready where queue = q.id) + (select count(*) from howdah.queue_parked where queue = q.id))::int as waiting,
       (select count(*) from howdah.queue_scheduled where queue = q.id)::int as delayed,
       (select coalesce(sum(cardinality(ids)), 0) from howdah.queue_lease where queue = q.id)::int as running,
       (select count(*) from howdah.queue_result where queue = q.id and outcome = 'failed')::int as dead
     from q`,
    [jobs.name],
  )
  expect(await jobs.stats()).toMatchObject(counted as object)
}
