import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runJobs } from '../src/adapters/testing.js'
import type { AddOptions } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

describe('enqueue()', () => {
  test('adds from a trigger, with the row and not without it', async () => {
    const jobs = bench.queue<{ to: string }>()
    await jobs.stats()
    await bench.pool.query('create table app_user (email text)')
    await bench.pool.query(`create function mail_new_user() returns trigger language plpgsql as $$
      begin perform howdah.enqueue('${jobs.name}', json_build_object('to', new.email), '{"priority": 2}'); return null; end $$`)
    await bench.pool.query(
      'create trigger mail_new_user after insert on app_user for each row execute function mail_new_user()',
    )
    const client = await bench.pool.connect()
    await client.query('begin')
    await client.query(`insert into app_user values ('gone@example.org')`)
    await client.query('rollback')
    client.release()
    await bench.pool.query(`insert into app_user values ('ada@example.org')`)
    const { completed } = await runJobs(jobs, (job) => job.priority)
    expect(completed).toMatchObject([{ payload: { to: 'ada@example.org' }, output: 2 }])
  })

  test('wakes a worker that sleeps', async () => {
    const jobs = bench.queue<number>()
    const seen: number[] = []
    jobs.work((job) => void seen.push(job.payload), { pollInterval: '1h' })
    await expect.poll(() => bench.rows('select 1 from howdah.queue_idle')).not.toEqual([])
    await bench.pool.query('select howdah.enqueue($1, $2)', [jobs.name, '7'])
    await expect.poll(() => seen).toEqual([7])
  })

  test('adds many, each once, and refuses what is too large or no JSON', async () => {
    const jobs = bench.queue<number>({ maxPayloadBytes: 20 })
    await jobs.stats()
    const rows = await bench.rows('select * from howdah.enqueue_many($1, $2, $3)', [
      jobs.name,
      '[1, 2, 3]',
      '{"delay": "1h"}',
    ])
    expect(rows.length).toBe(3)
    expect(await jobs.stats()).toMatchObject({ delayed: 3 })
    const refused = (sql: string, values: unknown[]) =>
      expect(bench.pool.query(sql, values)).rejects.toMatchObject({ code: '22023' })
    await refused('select howdah.enqueue($1, $2)', [jobs.name, JSON.stringify('x'.repeat(30))])
    await refused('select howdah.enqueue($1, $2)', ['', '1'])
    await refused('select howdah.enqueue($1, null)', [jobs.name])
    await refused('select * from howdah.enqueue_many($1, $2)', [jobs.name, '1'])
    await refused('select howdah.enqueue($1, $2, $3)', [jobs.name, '1', '{"group": "g"}'])
    await expect(
      bench.pool.query('select howdah.enqueue($1, $2)', [jobs.name, '{no']),
    ).rejects.toMatchObject({ code: '22P02' })
  })

  test('checks options as add() does', { timeout: 60_000 }, async () => {
    const jobs = bench.queue<number>({ groups: { concurrency: 1 } })
    await jobs.stats()
    const duration = fc.constantFrom(0, 5, -1, 1.5, '5s', '2h', '5 s', 'x', '', true)
    const options = fc.record(
      {
        delay: duration,
        priority: fc.constantFrom(0, 7, -32_768, 32_768, 1.5, '1', true),
        attempts: fc.constantFrom(1, 1000, 0, 1001, 2.5),
        backoff: duration,
        expireAfter: duration,
        group: fc.constantFrom('g', '', 5, 'x'.repeat(501)),
        key: fc.constantFrom(
          'k',
          '',
          5,
          { id: 'k' },
          { id: 'k', throttle: '1s' },
          { id: 'k', throttle: 1, keepFor: 1 },
          { throttle: 1 },
        ),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(options, async (given) => {
        const client = await bench.pool.connect()
        const outcome = async (add: () => Promise<unknown>) => {
          await client.query('begin')
          const taken = await add().then(
            () => true,
            () => false,
          )
          await client.query('rollback')
          return taken
        }
        try {
          const typed = await outcome(() => jobs.add(1, { ...(given as AddOptions), client }))
          const sql = await outcome(() =>
            client.query('select howdah.enqueue($1, $2, $3)', [
              jobs.name,
              '1',
              JSON.stringify(given),
            ]),
          )
          expect(sql).toBe(typed)
        } finally {
          client.release()
        }
      }),
      { numRuns: 150 },
    )
  })
})
