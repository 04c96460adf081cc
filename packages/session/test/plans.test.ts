/** Plans are kept for as long as a connection lives, and the first ones are made while there are no sessions. */
import { Sessions } from '@howdah/session'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROWS = 20_000
/** Calls of one kind that are made at once, and so go in one statement. */
const CALLS = 20
/** Far more than these calls need, and far fewer than there are. */
const FEW = ROWS / 10

let database: TestDatabase
let pool: Pool
let sessions: Sessions

beforeAll(async () => {
  database = await testDatabase()
  // One connection, whose plans we know the age of.
  pool = database.pool({ max: 1 })
  sessions = new Sessions({ pool, pruneInterval: false, touchEvery: 0, maxPerUser: 10 })
  await sessions.count()
  // What is counted in the background makes all plans anew.
  await database.adminPool().query('alter table howdah.session set (autovacuum_enabled = false)')
  // PostgreSQL plans a prepared statement for its parameters five times, and then once for all.
  for (let round = 0; round < 7; round++) for (const count of [1, CALLS]) await useAll(count)
  await pool.query(
    `insert into howdah.session (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id)
     select 'default', sha256(convert_to('session ' || n, 'UTF8')), n, floor(extract(epoch from t) / 3600), now(), now(), t, '{}', 'u' || n % 5000
     from generate_series(1, $1::int) n, lateral (select now() + n % 1440 * interval '1 min' as t) x`,
    [ROWS],
  )
})
afterAll(async () => {
  await sessions.close()
  await database.close()
})

async function useAll(count: number): Promise<void> {
  const users = Array.from({ length: count }, (_, n) => `u${n}`)
  const made = await Promise.all(users.map((userId) => sessions.create({ userId, n: 0 })))
  const loaded = await Promise.all(made.map(({ id }) => sessions.load(id)))
  const all = loaded.filter((session) => session !== undefined)
  expect(all).toHaveLength(count)
  for (const session of all) session.data['n'] = 1
  expect(await Promise.all(all.map((session) => sessions.save(session)))).not.toContain(false)
  expect(await Promise.all(all.map((session) => sessions.touch(session)))).not.toContain(false)
  const next = await sessions.regenerate(all[0] as (typeof all)[0])
  await sessions.listByUser('u0')
  await sessions.revoke(next?.ref ?? '', { userId: 'u0' })
  await sessions.revokeAll('u1')
  await sessions.prune()
  await Promise.all(all.map((session) => sessions.destroy(session)))
}

/** Rows that this connection has read from the table so far, by whatever plan. */
async function rowsRead(): Promise<number> {
  await pool.query('select pg_stat_force_next_flush()')
  const { rows } = await pool.query<{ n: number }>(
    `select (seq_tup_read + idx_tup_fetch)::int as n from pg_stat_user_tables where relname = 'session'`,
  )
  return rows[0]?.n ?? Number.NaN
}

async function rowsReadBy(work: () => Promise<unknown>): Promise<number> {
  const before = await rowsRead()
  await work()
  return (await rowsRead()) - before
}

test.each([1, CALLS])(
  'plans made while there were no sessions read few rows for %i calls at once',
  async (count) => {
    expect(await rowsReadBy(() => useAll(count))).toBeLessThan(FEW)
  },
)

test('plans made anew, with nothing known of the table, read few rows', async () => {
  await pool.query('discard plans')
  expect(await rowsReadBy(() => useAll(CALLS))).toBeLessThan(FEW)
})
