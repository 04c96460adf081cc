import { Database } from '@howdah/core'
import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { Queue } from '../src/index.js'
import { RankFloors } from '../src/worker/ranges.js'

const SEARCH_ALL = `'{-2147483648}'::int[], '{0}'::bigint[], '{2147483647}'::int[]`

/** One claim, as a worker makes it. */
const TAKE = `select state, lease, count, due_after as "dueAfter" from howdah.queue_take(
  $1, $2, 10, true, ${SEARCH_ALL}, $3, null, null, null, null)`

test('a lease made after a crash has no number that one before it may have had', {
  timeout: 60_000,
}, async () => {
  await using server = await startPostgres()
  const { url } = await server.createDatabase()
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => {})
  const jobs = new Queue<number>('crash', { pool })
  await jobs.addMany([1, 2, 3])
  const enter = (worker: string | null) =>
    pool.query(`select worker from howdah.queue_enter(1, $1, 60000, 'test')`, [worker])
  const worker = (await enter(null)).rows[0].worker
  // As many claims as can be made before the log is written: a crash undoes the last of them.
  const leases: bigint[] = []
  for (let n = 0; n < 100; n++) {
    const [taken] = (await pool.query(TAKE, [1, worker, null])).rows
    leases.push(BigInt(taken.lease))
    await jobs.add(n)
  }
  await server.kill()
  await server.start()
  await expect
    .poll(() =>
      jobs.add(4).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  const [unknown] = (await pool.query(TAKE, [1, worker, null])).rows
  expect(unknown).toMatchObject({ state: 'unknown', lease: null, count: 0 })
  await enter(worker)
  const [taken] = (await pool.query(TAKE, [1, worker, null])).rows
  expect(taken.state).toBe('ok')
  for (const lease of leases) {
    expect(BigInt(taken.lease) - lease).toBeGreaterThanOrEqual(1_000_000n)
  }
  await jobs.close()
  await Database.from(pool).close()
  await pool.end()
})

test('the first job that a schema ever has is found, also where its number was drawn late', async () => {
  await using server = await startPostgres()
  const { url } = await server.createDatabase()
  const pool = new pg.Pool({ connectionString: url })
  const jobs = new Queue<number>('first', { pool })
  await jobs.stats()
  const floors = new RankFloors()
  floors.enter('1')
  const seal = async () => {
    const of = floors.question(1)
    const { rows } = await pool.query(
      `select '1' as epoch, sealed, seqs, due, horizon, head, due_head as "dueHead"
       from howdah.queue_seal($1, $2::int[], $3::bigint[], $4::timestamptz, $5::xid8, $6::bigint, $7::timestamptz)`,
      [of.queue, of.ranks, of.seqs, of.due, of.horizon, of.head, of.dueHead],
    )
    floors.answer(of, rows[0], performance.now())
  }
  await seal()
  await seal()
  await seal()
  expect(await jobs.add(1)).toBe('1')
  const { lows, seqs, highs } = floors.ranges(true)
  const { rows } = await pool.query(
    `select r.id::text from unnest($1::int[], $2::bigint[], $3::int[]) as f(low, seq, high)
     join howdah.queue_ready r on (r.rank, r.seq) > (f.low, f.seq) and r.rank <= f.high`,
    [lows, seqs, highs],
  )
  expect(rows).toEqual([{ id: '1' }])
  await jobs.close()
  await Database.from(pool).close()
  await pool.end()
})

test('a clock that was set back hides no scheduled job', async () => {
  await using server = await startPostgres()
  const { url } = await server.createDatabase()
  const pool = new pg.Pool({ connectionString: url })
  const jobs = new Queue<number>('clock', { pool })
  await jobs.add(1, { delay: 1 })
  const { rows } = await pool.query(`select worker from howdah.queue_enter(1, null, 60000, 'test')`)
  const { worker } = rows[0]
  // What a worker holds to be over lies an hour ahead, as it would had the clock been an hour ahead when it learned of it.
  const take = async () => {
    const taken = await pool.query(
      TAKE.replace('$3', `clock_timestamp() + interval '1 hour' + $3 * interval '0'`),
      [1, worker, 0],
    )
    return taken.rows[0]
  }
  await expect.poll(take).toMatchObject({ count: 1, dueAfter: '-infinity' })
  const floors = new RankFloors()
  floors.enter('1')
  floors.answer(
    floors.question(1),
    {
      epoch: '1',
      sealed: true,
      seqs: '5',
      due: '2100-01-01',
      horizon: '9',
      head: '9',
      dueHead: '2100-01-01',
    },
    0,
  )
  floors.claimed(null, null, '2100-01-01')
  expect(floors.due(true)).toBe('2100-01-01')
  floors.claimed(null, null, '-infinity')
  expect([floors.due(true), floors.due(false)]).toEqual(['-infinity', '-infinity'])
  await jobs.close()
  await Database.from(pool).close()
  await pool.end()
})
