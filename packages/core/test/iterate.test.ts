import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findPgBouncer, startPgBouncer, type TestDatabase, testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { Database, type Statement } from '../src/index.js'

const statement = <Row>(text: string, ...values: unknown[]): Statement<Row> => ({
  name: 'howdah.test',
  text,
  values,
})
const numbers = (to: number) =>
  statement<{ n: number }>('select n from generate_series(1, $1::int) n order by n', to)

let database: TestDatabase
let pool: pg.Pool
let db: Database

beforeAll(async () => {
  database = await testDatabase()
})
beforeEach(() => {
  pool = database.pool({ max: 2 })
  db = Database.from(pool)
})
afterEach(async () => {
  expect(pool.idleCount).toBe(pool.totalCount)
  await db.close()
  await pool.end()
})
afterAll(() => database.close())

async function collect<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = []
  for await (const row of rows) all.push(row)
  return all
}

const backend = async (on = pool) => (await on.query('select pg_backend_pid() as pid')).rows[0].pid

describe('iterate()', () => {
  test.each([
    [0, 10],
    [1, 1],
    [9, 10],
    [10, 10],
    [11, 10],
    [1000, 7],
  ])('gives all of %i rows in order, in batches of %i', async (count, batchSize) => {
    const rows = await collect(db.iterate(numbers(count), { batchSize }))
    expect(rows).toEqual(Array.from({ length: count }, (_, i) => ({ n: i + 1 })))
  })

  test('gives the rows of a statement that writes', async () => {
    await pool.query('create table written (n int)')
    const write = statement('insert into written select generate_series(1, 5) returning n')
    expect(await collect(db.iterate(write, { batchSize: 2 }))).toHaveLength(5)
    expect((await pool.query('select from written')).rowCount).toBe(5)
  })

  test('parses columns as query() does, with the parsers of the application', async () => {
    const types = { getTypeParser: () => (text: string) => `parsed ${text}` }
    const own = database.pool({ types: types as never })
    const mine = Database.from(own)
    const one = statement<{ n: unknown }>('select 1 as n')
    expect(await collect(mine.iterate(one))).toEqual(await mine.query(one))
    await mine.close()
  })

  test.each([0, -1, 1.5, Number.NaN, '10', null])(
    'refuses a batchSize of %s',
    async (batchSize) => {
      const rows = db.iterate(numbers(1), { batchSize: batchSize as number })
      await expect(rows.next()).rejects.toMatchObject({ code: 'CORE_INVALID_OPTION' })
      expect(pool.totalCount).toBe(0)
    },
  )

  test('closes the cursor and gives the connection back when the loop is left early', async () => {
    for await (const { n } of db.iterate(numbers(100_000), { batchSize: 10 })) if (n === 15) break
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    expect((await pool.query('select * from pg_cursors')).rows).toEqual([])

    const failing = async () => {
      for await (const _ of db.iterate(numbers(100_000))) throw new Error('of the loop')
    }
    await expect(failing()).rejects.toThrow('of the loop')
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
  })

  test('fails at the row that fails, after the rows before it, on a connection that goes on', async () => {
    const pid = await backend()
    const rows: unknown[] = []
    const failing = async () => {
      const text = 'select 10 / (25 - n) as n from generate_series(1, $1::int) n'
      for await (const row of db.iterate(statement(text, 100), { batchSize: 10 })) rows.push(row)
    }
    await expect(failing()).rejects.toMatchObject({ code: '22012' })
    expect(rows).toHaveLength(20)
    expect(await backend()).toBe(pid)
  })

  test('fails at once when the statement is wrong, on a connection that goes on', async () => {
    const pid = await backend()
    const rows = collect(db.iterate(statement('select from no_such_table')))
    await expect(rows).rejects.toMatchObject({ code: '42P01' })
    expect(await backend()).toBe(pid)
  })

  test('fails and does not hang when the server is lost between batches', async () => {
    const rows = db.iterate(
      statement<{ pid: number }>(
        'select pg_backend_pid() as pid from generate_series(1, $1::int)',
        100_000,
      ),
      { batchSize: 10 },
    )
    const lost = async () => {
      let first = true
      for await (const { pid } of rows) {
        if (!first) continue
        first = false
        await pool.query('select pg_terminate_backend($1::int, 10000)', [pid])
      }
    }
    await expect(lost()).rejects.toThrow()
    await expect.poll(() => pool.totalCount).toBe(1)
    expect(await collect(db.iterate(numbers(3)))).toHaveLength(3)
  })

  test('ends and does not hang when the server is lost and the loop is left', async () => {
    const text = 'select pg_backend_pid() as pid from generate_series(1, $1::int)'
    for await (const { pid } of db.iterate(statement<{ pid: number }>(text, 100_000))) {
      await pool.query('select pg_terminate_backend($1::int, 10000)', [pid])
      break
    }
    expect(await collect(db.iterate(numbers(3)))).toHaveLength(3)
  })

  test('fails and does not hang when the server is lost while it computes a batch', async () => {
    const application = 'howdah-test-computing'
    const own = database.pool({ application_name: application })
    const mine = Database.from(own)
    const rows = collect(mine.iterate(statement('select pg_sleep(60)::text')))
    rows.catch(() => {})
    const kill = `select pg_terminate_backend(pid, 10000) from pg_stat_activity
      where application_name = $1 and wait_event = 'PgSleep'`
    await expect.poll(async () => (await pool.query(kill, [application])).rowCount).toBe(1)
    await expect(rows).rejects.toMatchObject({ code: '57P01' })
    expect(own.totalCount).toBe(0)
    await mine.close()
  })

  test('holds one connection, and others go on meanwhile', async () => {
    const seen: number[] = []
    for await (const { n } of db.iterate(numbers(30), { batchSize: 10 })) {
      if (n % 10 === 0) seen.push((await db.query(numbers(n))).length)
    }
    expect(seen).toEqual([10, 20, 30])
    expect(pool.totalCount).toBe(2)
  })

  test.each([
    ['pg', 300_000, 1000, 32],
    ['pglite', 20_000, 500, 8],
  ])(
    'holds no more than a few batches in memory (%s, %i rows of 1 kB)',
    { timeout: 120_000 },
    async (kind, count, batch, megabytes) => {
      const script = fileURLToPath(new URL('iterate-memory.ts', import.meta.url))
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        '--import',
        'tsx',
        script,
        kind,
        database.url,
        String(count),
        String(batch),
      ])
      const { rows, wrong, most } = JSON.parse(stdout)
      expect({ rows, wrong }).toEqual({ rows: count, wrong: 0 })
      // All rows would be 20 to 300 MB, a batch is 0.5 to 1 MB; the rest is what sockets hold.
      expect(most).toBeLessThan(megabytes * 1024 * 1024)
    },
  )
})

const bouncer = findPgBouncer() !== undefined
if (!bouncer) notTested('core behind PgBouncer', 'there is no pgbouncer on this machine')

describe.runIf(bouncer)('behind PgBouncer in transaction mode', () => {
  test('queries, transactions and streams work with prepare: false', async () => {
    await using pooler = await startPgBouncer({
      url: database.url,
      poolMode: 'transaction',
      settings: { default_pool_size: 2, server_check_delay: 0 },
    })
    const pooled = new pg.Pool({ connectionString: pooler.url, max: 8 })
    const mine = Database.from(pooled, { prepare: false })
    try {
      const each = await Promise.all(
        Array.from({ length: 50 }, (_, i) => mine.query(numbers((i % 5) + 1))),
      )
      expect(each.map((rows) => rows.length)).toEqual(each.map((_, i) => (i % 5) + 1))

      // The stream keeps one of the two server connections, the statements of its loop run on the other.
      const streams = [db, mine].map(async (on) => {
        const rows: number[] = []
        for await (const { n } of on.iterate(numbers(50), { batchSize: 10 })) {
          if (n % 10 === 0) await mine.query(numbers(1))
          rows.push(n)
        }
        return rows
      })
      const [direct, throughPooler] = await Promise.all(streams)
      expect(throughPooler).toEqual(direct)

      for await (const _ of mine.iterate(numbers(50), { batchSize: 10 })) break
      await mine.transaction(async (tx) => {
        expect(await mine.query(numbers(2), tx)).toHaveLength(2)
      })
      const { rows } = await pool.query(
        `select state from pg_stat_activity where datname = current_database()
           and pid <> pg_backend_pid() and state like 'idle in%'`,
      )
      expect(rows).toEqual([])
    } finally {
      await mine.close()
      await pooled.end()
    }
  })
})
