import { describe, expect, test } from 'vitest'
import { advanceTime, runJobs } from '../src/adapters/testing.js'
import { Scheduler } from '../src/schedules/scheduler.js'
import { Bench, deferred } from './support.js'

const bench = new Bench()

describe('a schedule', () => {
  test('runs, keeps its history, and goes on as it was when it is said again', async () => {
    const jobs = bench.queue<string, string>()
    await jobs.schedule('often', { every: '1s' }, 'x')
    const first = await jobs.schedules.get('often')
    await jobs.schedule('often', { every: '1s' }, 'y', { priority: 3 })
    expect(await jobs.schedules.get('often')).toEqual({ ...first, payload: 'y' })
    expect(await jobs.schedules.list()).toHaveLength(1)
    jobs.work((job) => `done ${job.payload}`)
    const completed = async () =>
      (await jobs.schedules.runs('often')).filter((run) => run.outcome === 'completed')
    await expect
      .poll(async () => (await completed()).length, { timeout: 10_000 })
      .toBeGreaterThanOrEqual(2)
    const [older, newest] = (await completed()).toReversed()
    expect(newest?.scheduledAt.getTime()).toBe((older?.scheduledAt.getTime() ?? 0) + 1000)
    expect(older?.scheduledAt).toEqual(first?.nextAt)
    expect(older?.startedAt?.getTime()).toBeGreaterThanOrEqual(older?.scheduledAt.getTime() ?? 0)
    expect(older?.finishedAt?.getTime()).toBeGreaterThanOrEqual(older?.startedAt?.getTime() ?? 0)
    expect(await jobs.result(older?.job as string)).toBe('done y')
    expect((await jobs.get(older?.job as string))?.priority).toBe(3)
    expect(await jobs.schedules.remove('often')).toBe(true)
    expect(await jobs.schedules.remove('often')).toBe(false)
    await expect(jobs.schedules.runs('often')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' })
    expect(await bench.rows('select 1 from howdah.queue_run')).toEqual([])
  })

  test('can be paused, run now and asked for what comes', async () => {
    const jobs = bench.queue<string>()
    await jobs.schedule('yearly', '0 0 1 1 *', 'x', { timezone: 'Europe/Paris' })
    await jobs.schedules.pause('yearly')
    expect(await jobs.schedules.get('yearly')).toMatchObject({ paused: true, nextAt: undefined })
    await advanceTime(jobs, '400d')
    expect(await jobs.schedules.fire()).toBe(0)
    const job = await jobs.schedules.runNow('yearly')
    expect((await runJobs(jobs, () => {})).completed.map((done) => done.id)).toEqual([job])
    await jobs.schedules.resume('yearly')
    const next = await jobs.schedules.next('yearly', 3)
    expect((await jobs.schedules.get('yearly'))?.nextAt).toEqual(next[0])
    expect(next.map((date) => date.toISOString().slice(4))).toEqual(
      Array(3).fill('-12-31T23:00:00.000Z'),
    )
    await expect(jobs.schedules.pause('none')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' })
  })

  test.each([
    ['skip', ['completed', 'skipped', 'skipped']],
    ['queue', ['completed', 'completed', 'completed']],
    ['allow', ['completed', 'completed', 'completed']],
  ] as const)('with overlap %s', async (overlap, outcomes) => {
    const jobs = bench.queue<string>()
    await jobs.schedule('s', '@yearly', 'x', { overlap })
    const finish = deferred()
    let running = 0
    let most = 0
    const worker = jobs.work(
      async () => {
        most = Math.max(most, ++running)
        await finish.promise
        running--
      },
      { concurrency: 5, pollInterval: 20 },
    )
    for (let n = 0; n < 3; n++) await jobs.schedules.runNow('s')
    const at = overlap === 'allow' ? 3 : 1
    await expect.poll(() => running).toBe(at)
    const states = (await jobs.schedules.runs('s')).map((run) => run.outcome).toReversed()
    expect(states.slice(0, 1)).toEqual(['running'])
    finish.resolve()
    const ended = async () =>
      (await jobs.schedules.runs('s')).map((run) => run.outcome).toReversed()
    await expect.poll(ended).toEqual(outcomes)
    expect(most).toBe(at)
    await worker.close()
  })

  test('that fails says so, and lets the next run begin', async () => {
    const jobs = bench.queue<string>()
    await jobs.schedule('s', '@yearly', 'x', { overlap: 'queue', attempts: 1 })
    await jobs.schedules.runNow('s')
    await jobs.schedules.runNow('s')
    await runJobs(jobs, () => {
      throw new Error('no')
    })
    const runs = async () => (await jobs.schedules.runs('s')).map((run) => run.outcome)
    await expect.poll(runs).toEqual(['failed', 'failed'])
  })

  test('can be removed and made again while its runs end, and nobody waits for the other', async () => {
    const jobs = bench.queue<number>()
    const other = bench.queue<number>({ pool: bench.database.pool() }, jobs.name)
    const names = Array.from({ length: 6 }, (_, n) => `s${n}`)
    const errors: unknown[] = []
    for (const each of [jobs, other]) {
      const worker = each.work(() => {}, { concurrency: 10, pollInterval: 10 })
      worker.on('error', (error) => errors.push(error))
    }
    const overlaps = ['queue', 'allow', 'skip'] as const
    const change = async (name: string, at: number, by: typeof jobs) => {
      for (let round = 0; round < 25; round++) {
        await by.schedule(name, '@yearly', round, { overlap: overlaps[at % 3] ?? 'allow' })
        for (let run = 0; run < 3; run++) {
          await by.schedules.runNow(name).catch((error) => {
            expect(error.code).toBe('QUEUE_NOT_FOUND')
          })
        }
        await by.schedules.remove(name)
      }
    }
    await Promise.all(
      names.flatMap((name, at) => [change(name, at, jobs), change(name, at, other)]),
    )
    await expect.poll(() => jobs.stats()).toMatchObject({ waiting: 0, running: 0 })
    expect(errors).toEqual([])
    expect(await jobs.schedules.list()).toEqual([])
  })

  test('refuses what it cannot do', async () => {
    const jobs = bench.queue<unknown>()
    const refused = { code: 'QUEUE_INVALID_OPTION' }
    const set = (name: string, time: unknown, options = {}, payload: unknown = 1) =>
      jobs.schedule(name, time as string, payload, options)
    await expect(set('', '@daily')).rejects.toMatchObject(refused)
    await expect(set('a\0b', '@daily')).rejects.toMatchObject(refused)
    await expect(set('s', 'often')).rejects.toMatchObject(refused)
    await expect(set('s', '@daily', { timezone: 'Mars/Olympus' })).rejects.toMatchObject(refused)
    await expect(set('s', '@daily', { overlap: 'never' })).rejects.toMatchObject(refused)
    await expect(set('s', '@daily', { catchUp: 'some' })).rejects.toMatchObject(refused)
    await expect(set('s', '@daily', { driver: 'cron' })).rejects.toMatchObject(refused)
    await expect(set('s', '@daily', { group: 'g' })).rejects.toMatchObject(refused)
    await expect(set('s', { every: 10 })).rejects.toMatchObject({ code: 'CORE_INVALID_DURATION' })
    await expect(set('s', '@daily', {}, 1n)).rejects.toMatchObject({
      code: 'QUEUE_INVALID_PAYLOAD',
    })
    await expect(set('s', '@daily', { driver: 'pg_cron' })).rejects.toMatchObject({
      code: 'QUEUE_EXTENSION_MISSING',
    })
    expect(await jobs.schedules.list()).toEqual([])
    await set("'; drop table howdah.queue_run; --", '@daily', {}, { __proto__: 'x' })
    expect(await jobs.schedules.list()).toHaveLength(1)
  })

  test('forgets what ended longer ago than it is kept', async () => {
    const jobs = bench.queue<string>()
    await jobs.schedule('s', '@yearly', 'x', { keep: '1d' })
    await jobs.schedules.runNow('s')
    await runJobs(jobs, () => {})
    await advanceTime(jobs, '23h')
    const sweep = () =>
      bench.rows('select howdah.queue_run_sweep(id) from howdah.queue where name = $1', [jobs.name])
    await sweep()
    expect(await jobs.schedules.runs('s')).toHaveLength(1)
    await advanceTime(jobs, '2h')
    await sweep()
    expect(await jobs.schedules.runs('s')).toEqual([])
  })
})

describe('by another clock', () => {
  /** Fires by a clock that the test moves. */
  async function moved(catchUp: 'skip' | 'last' | 'all', cron: string, from: string) {
    const jobs = bench.queue<string>()
    const { db, number } = await import('../src/queue.js').then(({ Queue }) =>
      Queue.internals(jobs),
    )
    await jobs.schedule('s', cron, 'x', { timezone: 'Europe/Berlin', catchUp })
    // Its own scheduler goes by the real clock.
    await jobs.schedules.stop()
    let now = Date.parse(from)
    await bench.pool.query('update howdah.queue_schedule set next_at = to_timestamp($1)', [
      now / 1000,
    ])
    const scheduler = new Scheduler({
      db,
      open: async () => number,
      onError: () => {},
      clock: () => now,
    })
    const at = async (time: string) => {
      now = Date.parse(time)
      await scheduler.fire()
    }
    const slots = async () =>
      (await jobs.schedules.runs('s')).map((run) => run.scheduledAt.toISOString()).toReversed()
    return { at, slots }
  }

  test('a day whose clocks go forward has its run, and one whose clocks go back has one', async () => {
    const spring = await moved('skip', '30 2 * * *', '2026-03-28T01:30:00Z')
    for (const time of ['28T01:30', '29T00:59:59', '29T01:00', '29T01:30', '30T00:30:01'])
      await spring.at(`2026-03-${time.length === 8 ? `${time}:00` : time}Z`)
    expect(await spring.slots()).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    await bench.pool.query('delete from howdah.queue_schedule')
    const autumn = await moved('skip', '30 2 * * *', '2026-10-24T00:30:00Z')
    for (const time of ['24T00:30:00', '25T00:30:00', '25T01:30:00', '26T01:30:00'])
      await autumn.at(`2026-10-${time}Z`)
    expect(await autumn.slots()).toEqual([
      '2026-10-24T00:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
    await bench.pool.query('delete from howdah.queue_schedule')
  })

  test.each([
    ['skip', ['2026-05-01T00:00:00.000Z']],
    ['last', ['2026-05-01T00:00:00.000Z', '2026-05-01T05:00:00.000Z']],
    ['all', [0, 1, 2, 3, 4, 5].map((hour) => `2026-05-01T0${hour}:00:00.000Z`)],
  ] as const)('what passed while no process was up is caught up: %s', async (catchUp, slots) => {
    const clock = await moved(catchUp, '0 * * * *', '2026-05-01T00:00:00Z')
    await clock.at('2026-05-01T00:00:01Z')
    await clock.at('2026-05-01T05:30:00Z')
    await clock.at('2026-05-01T05:31:00Z')
    expect(await clock.slots()).toEqual(slots)
    await bench.pool.query('delete from howdah.queue_schedule')
  })
})
