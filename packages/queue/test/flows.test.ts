import { describe, expect, test } from 'vitest'
import { runJobs } from '../src/adapters/testing.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

describe('flows', () => {
  test('run children first, over several queues and levels, and hand their outputs up', async () => {
    const leaves = bench.queue<number, number>()
    const sums = bench.queue<string, number>()
    const sum = { queue: sums, children: [] as { queue: string; payload: number }[] }
    const of = (...payloads: number[]) =>
      payloads.map((payload) => ({ queue: leaves.name, payload }))
    const ids = await sums.addFlow({
      payload: 'total',
      children: [
        { ...sum, payload: 'a', children: of(1, 2) },
        { ...sum, payload: 'b', children: of(3, 4, 5) },
      ],
    })
    expect(ids.children.map((child) => child.children.length)).toEqual([2, 3])
    expect(await sums.stats()).toMatchObject({ blocked: 3, waiting: 0 })
    expect((await sums.get(ids.id))?.state).toBe('blocked')
    const workers = [bench.database.pool(), bench.database.pool()].map((pool) =>
      bench
        .queue<number, number>({ pool }, leaves.name)
        .work((job) => job.payload, { concurrency: 3 }),
    )
    sums.work(async (job) =>
      (await job.children()).reduce((total, child) => total + Number(child.output), 0),
    )
    expect(await sums.result(ids.id)).toBe(15)
    expect(await sums.stats()).toMatchObject({ blocked: 0, waiting: 0, running: 0 })
    await Promise.all(workers.map((worker) => worker.close()))
  })

  test('start the parent once when many children end at the same time in several workers', async () => {
    const jobs = bench.queue<number>({}, bench.fresh())
    const parents = bench.queue<string, number>()
    const ids = await Promise.all(
      Array.from({ length: 5 }, () =>
        parents.addFlow({
          payload: 'p',
          children: Array.from({ length: 100 }, (_, n) => ({ queue: jobs.name, payload: n })),
        }),
      ),
    )
    for (const pool of [bench.database.pool(), bench.database.pool(), bench.database.pool()]) {
      bench.queue<number>({ pool }, jobs.name).work(() => {}, { concurrency: 20 })
    }
    let started = 0
    parents.work(async (job) => {
      started++
      return (await job.children()).length
    })
    for (const { id } of ids) expect(await parents.result(id)).toBe(100)
    expect(started).toBe(5)
    expect(await bench.rows('select 1 from howdah.queue_flow')).toEqual([])
  })

  test('fail with a child that fails for good, unless it is tolerated', async () => {
    const jobs = bench.queue<string, unknown>({ attempts: 1 })
    const bad = { payload: 'bad' }
    const strict = await jobs.addFlow({ payload: 'strict', children: [bad, { payload: 'good' }] })
    const lenient = await jobs.addFlow({
      payload: 'lenient',
      children: [{ ...bad, tolerate: true }, { payload: 'good' }],
    })
    const { completed } = await runJobs(jobs, async (job) => {
      if (job.payload === 'bad') throw new Error('bad')
      return (await job.children()).map((child) => child.outcome)
    })
    expect(completed.find((job) => job.id === lenient.id)?.output).toEqual(['failed', 'completed'])
    expect(await jobs.get(strict.id)).toMatchObject({ state: 'failed' })
    await expect(jobs.result(strict.id)).rejects.toThrow(/ended as failed/)
    expect(await jobs.redrive()).toBe(3)
    await runJobs(jobs, () => {})
    expect(await jobs.stats()).toMatchObject({ blocked: 0, waiting: 0, dead: 0 })
  })

  test('are all there or not at all, and refuse what they cannot keep', async () => {
    const jobs = bench.queue<unknown>()
    const child = bench.fresh()
    await expect(
      jobs.addFlow({ payload: 1, children: [{ queue: child, payload: 1n }] }),
    ).rejects.toMatchObject({ code: 'QUEUE_INVALID_PAYLOAD' })
    await expect(
      jobs.addFlow({ payload: 1, children: [{ payload: 1, options: { key: 'k' } }] }),
    ).rejects.toMatchObject({ code: 'QUEUE_INVALID_OPTION' })
    await expect(
      jobs.addFlow({ payload: 1, children: [{ payload: 1, options: { group: 'g' } }] }),
    ).rejects.toMatchObject({ code: 'QUEUE_INVALID_OPTION' })
    const client = await bench.pool.connect()
    await client.query('begin')
    await jobs.addFlow(
      { payload: { __proto__: null, a: '\0' }, children: [{ payload: 1 }] },
      { client },
    )
    await client.query('rollback')
    client.release()
    expect(await jobs.stats()).toMatchObject({ blocked: 0, waiting: 0, totals: { added: 0 } })
  })
})

describe('redriven children', () => {
  const strict = async (outer = {}) => {
    const leaves = bench.queue<string, string>({ attempts: 1 })
    const parents = bench.queue<string>({ attempts: 1, ...outer })
    const leaf = (payload: string) => ({ queue: leaves.name, payload })
    const ids = await parents.addFlow({
      payload: 'top',
      children: [{ queue: parents.name, payload: 'middle', children: [leaf('a'), leaf('b')] }],
    })
    return { leaves, parents, ids }
  }
  const all = async (...queues: { stats(): Promise<{ dead: number; blocked: number }> }[]) => {
    const stats = await Promise.all(queues.map((queue) => queue.stats()))
    return stats.map(({ dead, blocked }) => ({ dead, blocked }))
  }

  test('bring back the parents that failed with them, over all levels', async () => {
    const { leaves, parents, ids } = await strict()
    await runJobs(leaves, (job) => {
      if (job.payload === 'a') throw new Error('bad day')
      return job.payload
    })
    expect(await all(leaves, parents)).toEqual([
      { dead: 1, blocked: 0 },
      { dead: 2, blocked: 0 },
    ])
    expect(await leaves.redrive()).toBe(1)
    expect(await all(leaves, parents)).toEqual([
      { dead: 0, blocked: 0 },
      { dead: 0, blocked: 2 },
    ])
    await runJobs(leaves, (job) => job.payload)
    const heard: unknown[] = []
    await runJobs(parents, async (job) => {
      heard.push([job.payload, (await job.children()).map((child) => child.output)])
    })
    expect(heard).toEqual([
      ['middle', ['a', 'b']],
      ['top', [undefined]],
    ])
    expect((await parents.get(ids.id))?.state).toBe('completed')
  })

  test('that are not all redriven keep the parent waiting for the others', async () => {
    const { leaves, parents } = await strict()
    await runJobs(leaves, () => {
      throw new Error('bad day')
    })
    const [first, second] = await leaves.deadLetters()
    await leaves.redrive([first?.id as string])
    await runJobs(leaves, () => 'fine')
    expect(await all(leaves, parents)).toEqual([
      { dead: 1, blocked: 0 },
      { dead: 0, blocked: 2 },
    ])
    await leaves.redrive([second?.id as string])
    await runJobs(leaves, () => 'fine')
    await runJobs(parents, () => {})
    expect(await all(leaves, parents)).toEqual([
      { dead: 0, blocked: 0 },
      { dead: 0, blocked: 0 },
    ])
    expect((await parents.stats()).totals.completed).toBe(2)
  })

  test('run for themselves where the parent has run without them', async () => {
    const jobs = bench.queue<string>({ attempts: 1 })
    await jobs.addFlow({ payload: 'p', children: [{ payload: 'c', tolerate: true }] })
    await runJobs(jobs, (job) => {
      if (job.payload === 'c') throw new Error('bad day')
    })
    expect(await jobs.redrive()).toBe(1)
    const { completed } = await runJobs(jobs, () => {})
    expect(completed.map((job) => job.payload)).toEqual(['c'])
    expect(await jobs.stats()).toMatchObject({ blocked: 0, waiting: 0, dead: 0 })
  })
})

describe('result() and on()', () => {
  test('answer in another process, for jobs that ended before and after', async () => {
    const jobs = bench.queue<number, number>({ attempts: 1 })
    const other = bench.queue<number, number>({ pool: bench.database.pool() }, jobs.name)
    const ids = await jobs.addMany([1, 2, 3])
    const waits = ids.map((id) => other.result(id))
    jobs.work((job) => {
      if (job.payload === 2) throw new Error('no two')
      return (job.payload === 3 ? undefined : job.payload) as number
    })
    expect(await waits[0]).toBe(1)
    await expect(waits[1]).rejects.toThrow(/no two/)
    expect(await waits[2]).toBeUndefined()
    expect(await other.result(ids[0] as string)).toBe(1)
    await expect(other.result('123456789')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' })
  })

  test('end with a timeout, a signal, or the queue', async () => {
    const jobs = bench.queue<number>()
    const id = await jobs.add(1, { delay: '1h' })
    await expect(jobs.result(id, { timeout: 20 })).rejects.toMatchObject({
      code: 'QUEUE_WAIT_TIMEOUT',
    })
    const abort = new AbortController()
    const wait = jobs.result(id, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(wait).rejects.toThrow('enough')
    const last = jobs.result(id)
    await Promise.all([expect(last).rejects.toMatchObject({ code: 'QUEUE_CLOSED' }), jobs.close()])
  })

  test('hear of completed, failed and progressing jobs of all processes, and ask for nothing after', async () => {
    const jobs = bench.queue<string>({ attempts: 1 })
    const other = bench.queue<string>({ pool: bench.database.pool() }, jobs.name)
    const heard: unknown[] = []
    const offs = [
      await other.on('completed', ({ id }) => heard.push(['completed', id])),
      await other.on('failed', ({ id, dead }) => heard.push(['failed', id, dead])),
      await other.on('progress', ({ id, value }) => heard.push(['progress', id, value])),
    ]
    jobs.work(async (job) => {
      if (job.payload === 'bad') throw new Error('bad')
      await job.progress('half')
    })
    const good = await jobs.add('good')
    await expect.poll(() => heard).toContainEqual(['completed', good])
    expect(heard).toContainEqual(['progress', good, 'half'])
    const bad = await jobs.add('bad')
    await expect.poll(() => heard).toContainEqual(['failed', bad, true])
    for (const off of offs) await off()
    expect(await bench.rows('select 1 from howdah.queue_watch')).toEqual([])
  })

  test('hear of jobs that end without a worker', async () => {
    const jobs = bench.queue<string>({ maxCrashes: 1, attempts: 1 })
    const heard: unknown[] = []
    const offs = [
      await jobs.on('failed', ({ id, dead }) => heard.push(['failed', id, dead])),
      await jobs.on('ended', ({ id, outcome }) => heard.push([outcome, id])),
    ]
    const cancelled = await jobs.add('cancelled', { delay: '1h' })
    await jobs.cancel(cancelled)
    await expect.poll(() => heard).toContainEqual(['cancelled', cancelled])
    const expired = await jobs.add('expired', { expireAfter: 1 })
    const flow = await jobs.addFlow({ payload: 'parent', children: [{ payload: 'crashes' }] })
    const started = deferred()
    const finish = deferred()
    jobs.work(
      async () => {
        started.resolve()
        await finish.promise
      },
      { lease: '1h' },
    )
    await started.promise
    await expect.poll(() => heard).toContainEqual(['expired', expired])
    await bench.pool.query(
      `do $$ begin delete from howdah.queue_worker w where w.queue = (select id from howdah.queue where name = '${jobs.name}');
       perform howdah.queue_rescue(0); end $$`,
    )
    await expect.poll(() => heard).toContainEqual(['failed', flow.children[0]?.id, true])
    await expect.poll(() => heard).toContainEqual(['failed', flow.id, true])
    finish.resolve()
    for (const off of offs) await off()
  })
})
