import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { doctorOf } from './doctor-support.js'
import { inside } from './support.js'

let database: TestDatabase
let pool: Pool

beforeEach(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(() => database.close())

const doctor = (args: readonly string[] = [], url = database.url) => doctorOf(url, args)

test('an index that is missing is named, and so is what it makes slow', async () => {
  await pool.query('drop index howdah.queue_ready_id, howdah.session_of_user')
  await pool.query('alter table howdah.queue_ready drop constraint queue_ready_pkey')
  const { code, faults } = await doctor(['indexes', 'plans'])
  expect(code).toBe(2)
  const [first, second, third, ...others] = faults
  expect(first?.what).toContain('Index "howdah"."queue_ready_id" on "howdah"."queue_ready" is')
  expect(second?.what).toContain('The primary key of "howdah"."queue_ready" is missing')
  expect(third?.what).toContain('session_of_user')
  expect(others.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/queue: claiming 10 jobs reads \d+ rows of queue_ready/),
      expect.stringMatching(/session: listing the sessions of a user reads \d+ rows of session/),
    ]),
  )
  for (const fault of [first, third]) await pool.query(fault?.mend ?? '')
  await pool.query('alter table howdah.queue_ready add primary key (queue, rank, seq)')
  expect(await doctor(['indexes', 'plans'])).toMatchObject({ code: 0, faults: [] })
})

test('every index and key that migrations make is looked for', async () => {
  const { rows } = await pool.query<{ name: string; mend: string | null }>(/* sql */ `
    select c.relname as name, 'alter table ' || k.conrelid::regclass || ' drop constraint ' || quote_ident(k.conname) as mend
    from pg_index i join pg_class c on c.oid = i.indexrelid left join pg_constraint k on k.conindid = c.oid
    where c.relnamespace = 'howdah'::regnamespace and i.indrelid <> 'howdah.migration'::regclass`)
  for (const { name, mend } of rows) await pool.query(mend ?? `drop index howdah.${name}`)
  const { faults } = await doctor(['indexes'])
  const said = faults.map(({ what }) => what).join('\n')
  for (const { name } of rows.filter((row) => row.mend === null))
    expect(said).toContain(`"${name}"`)
  const tables = new Set(
    faults.map(({ what }) => /on (.*) is|of (.*) is/.exec(what)?.slice(1).join('')),
  )
  expect(rows.length).toBeGreaterThan(60)
  expect(faults.length).toBeGreaterThan(60)
  expect(tables.size).toBeGreaterThan(40)
})

test('an index that is invalid and a table that is gone are named', async () => {
  await pool.query(
    `update pg_index set indisvalid = false where indexrelid = 'howdah.session_expires_hour'::regclass`,
  )
  await pool.query('drop table howdah.queue_step')
  const { faults } = await doctor(['indexes'])
  expect(faults).toMatchObject([
    { what: expect.stringContaining('Table "howdah"."queue_step" of @howdah/queue is missing') },
    { mend: 'reindex index concurrently "howdah"."session_expires_hour";' },
  ])
  await pool.query(faults[1]?.mend ?? '')
  expect((await doctor(['indexes'])).faults).toHaveLength(1)
})

test('a planner that may use no index is found by what it does', async () => {
  await pool.query(`alter role postgres in database ${database.name} set enable_indexscan = off`)
  await pool.query(`alter role postgres in database ${database.name} set enable_bitmapscan = off`)
  await pool.query(
    `alter role postgres in database ${database.name} set enable_indexonlyscan = off`,
  )
  const { code, faults } = await doctor(['plans'])
  expect(code).toBe(2)
  expect(faults.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/cache: reading an entry scans cache_entry from end to end/),
      expect.stringMatching(/session: reading a session scans session from end to end/),
      expect.stringMatching(/cache: removing an entry reads \d+ rows of cache_entry/),
    ]),
  )
})

test('a clock that goes wrong is told', async () => {
  const now = Date.now
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000)
  try {
    const { faults } = await doctor(['clock'])
    expect(faults).toMatchObject([{ level: 'warning' }])
    expect(faults[0]?.what).toMatch(/^The clock of the server is 3\d{6} ms ahead of/)
  } finally {
    spy.mockRestore()
  }
})

test('tables that are behind, ahead or changed are told', async () => {
  const empty = await doctor(['schema-versions', 'indexes', '--schema', 'no such'])
  expect(empty.faults.length).toBeGreaterThan(4)
  expect(empty.faults[0]?.mend).toBe('npx @howdah/cli migrate up core --schema "no such"')
  await pool.query(
    `update howdah.migration set checksum = 'x' where package = 'session' and version = 1`,
  )
  await pool.query(
    `insert into howdah.migration select package, version + 1, name, checksum, 99, applied_at from howdah.migration where package = 'cache' order by version desc limit 1`,
  )
  const { code, faults } = await doctor(['schema-versions'])
  expect(code).toBe(2)
  expect(faults).toMatchObject([
    { level: 'error', mend: 'Install a newer @howdah/cache.' },
    { level: 'error', what: expect.stringContaining('@howdah/session') },
  ])
})

test('a server that forgets in a crash, and one that is read-only, are told', async () => {
  // The server of a test run is one that would lose data in a crash of the machine.
  expect((await doctor(['durability'])).faults).toMatchObject([
    { level: 'error', what: 'fsync is off.' },
    { level: 'error', what: 'full_page_writes is off.' },
  ])
  await pool.query(`alter database ${database.name} set default_transaction_read_only = on`)
  expect((await doctor(['unlogged-standby'])).faults).toMatchObject([{ level: 'error' }])
})

test('people are told with what it costs and how to mend it', async () => {
  await pool.query('drop index howdah.session_of_user')
  const env = { DATABASE_URL: database.url }
  const { code, stdout, stderr } = await inside(['doctor', 'indexes', 'clock'], env)
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  expect(stdout).toMatch(
    /^Tables and indexes \(indexes\)\n {2}error {3}Index .*\n {10}costs: .*\n {10}mend: {2}create index concurrently /,
  )
  expect(stdout).toMatch(/\n1 errors, 0 warnings\.\n$/)
  expect(stdout).not.toContain('\u001b[')
})

test.each([
  ['an unknown check', ['doctor', '__proto__'], 'Allowed choices are server-version, '],
  ['no duration', ['doctor', '--long', 'soon'], 'CORE_INVALID_DURATION'],
  ['no URL', ['doctor', '--listen', 'secret'], 'CLI_INVALID_OPTION: The URL'],
  ['nobody there', ['doctor', '--url', 'postgres://127.0.0.1:1/x'], 'ECONNREFUSED'],
])('%s is refused with exit code 1', async (_what, args, message) => {
  const { code, stderr } = await inside(args, { DATABASE_URL: database.url })
  expect(code).toBe(1)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain('secret')
})
