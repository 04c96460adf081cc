import {
  findPgBouncer,
  type PostgresServer,
  startPgBouncer,
  startPostgres,
  type TestDatabase,
  testDatabase,
} from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { migrateAll } from '../../../scripts/migrate-template.js'
import { notTested } from '../../../scripts/not-tested.js'
import { inside, json } from './support.js'

const bouncer = findPgBouncer() !== undefined
if (!bouncer) notTested('the doctor behind PgBouncer', 'there is no pgbouncer on this machine')

let server: PostgresServer
let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  const { HOWDAH_PG_MAJOR } = process.env
  // One of its own, for faults are the server's; and one that a crash does not harm, for that would be a fault.
  server = await startPostgres({
    durable: true,
    template: migrateAll,
    settings: { max_prepared_transactions: 5 },
    ...(HOWDAH_PG_MAJOR ? { major: Number(HOWDAH_PG_MAJOR) as 15 } : {}),
  })
}, 120_000)
afterAll(async () => {
  await database?.close()
  await server?.close()
})
beforeEach(async () => {
  await database?.close()
  database = await server.createDatabase()
  pool = database.pool()
})

interface Fault {
  readonly check: string
  readonly level: string
  readonly what: string
  readonly costs: string
  readonly mend: string
}

/** Runs the doctor and answers its exit code and what it found wrong. */
async function doctor(args: readonly string[] = [], url = database.url) {
  const { code, checks, error } = await json(['doctor', ...args], { DATABASE_URL: url })
  expect(error).toBeUndefined()
  const faults: Fault[] = []
  for (const { check, findings } of checks) {
    for (const finding of findings) {
      expect(finding.what).toMatch(/\S/)
      if (finding.level !== 'info') faults.push({ check, ...finding })
    }
  }
  for (const { costs, mend } of faults) expect([costs, mend].join()).toMatch(/\w.*,.*\w/)
  return { code, faults, checks }
}

test('nothing is wrong with a healthy server, and nothing is left behind', async () => {
  const rows = async () => {
    const { rows: tables } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'howdah' order by 1`,
    )
    const counts = tables.map(({ name }) => `(select count(*)::int from ${name}) as "${name}"`)
    return (await pool.query(`select ${counts.join(', ')}`)).rows
  }
  const statistics = async () =>
    (await pool.query(`select from pg_stats where schemaname = 'howdah'`)).rowCount
  const before = [await rows(), await statistics()]
  const { code, faults, checks } = await doctor(['--strict'])
  expect(faults).toEqual([])
  expect(code).toBe(0)
  expect(checks.length).toBeGreaterThan(13)
  expect([await rows(), await statistics()]).toEqual(before)
  expect((await database.sessions()).map((one) => one.applicationName)).not.toContain('howdah-cli')
})

test('a role that owns nothing but the schema is healthy', async () => {
  const role = `owner_${database.name}`
  await pool.query(`create role ${role} login password 'p'; drop schema howdah cascade`)
  await pool.query(`create schema howdah authorization ${role}`)
  const url = as(role)
  expect(await inside(['migrate', 'up'], { DATABASE_URL: url })).toMatchObject({ code: 0 })
  expect(await doctor(['--strict'], url)).toMatchObject({ code: 0, faults: [] })
})

test('a transaction that pins the snapshot horizon is named', async () => {
  const client = await pool.connect()
  await client.query('begin isolation level repeatable read')
  const { rows } = await client.query('select pg_backend_pid() as pid')
  const pid = rows[0].pid
  try {
    const found = () => doctor(['snapshot-horizon', '--long', '1ms', '--strict'])
    await expect.poll(found).toMatchObject({ code: 2, faults: [{ level: 'warning' }] })
    const [fault] = (await found()).faults
    expect(fault?.what).toMatch(new RegExp(`^Session ${pid} .*pins the snapshot horizon, for `))
    expect(fault?.mend).toContain(`pg_terminate_backend(${pid})`)
    expect(await doctor(['snapshot-horizon'])).toMatchObject({ code: 0, faults: [] })
    // A warning ends with 0 unless it is to count.
    expect(await doctor(['snapshot-horizon', '--long', '1ms'])).toMatchObject({ code: 0 })
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('a prepared transaction that nobody ends is named', async () => {
  const client = await pool.connect()
  await client.query(`begin; create table public.held (id int); prepare transaction 'forgotten'`)
  client.release()
  try {
    const { faults } = await doctor(['snapshot-horizon', '--long', '0ms'])
    expect(faults).toMatchObject([{ what: expect.stringContaining('transaction forgotten') }])
  } finally {
    await pool.query(`rollback prepared 'forgotten'`)
  }
})

test('rights that are missing are named, and the statements that mend it do', async () => {
  const role = `app_${database.name}`
  await pool.query(`create role ${role} login password 'p'`)
  const url = as(role)
  const whole = await doctor(['role-rights'], url)
  expect(whole).toMatchObject({ code: 2, faults: [{ level: 'error', check: 'role-rights' }] })
  await pool.query(whole.faults[0]?.mend ?? '')
  const partial = await doctor([], url)
  expect(partial.code).toBe(2)
  const ofTables = partial.faults.find(({ what }) => what.includes('session'))
  expect(ofTables?.what).toContain('lacks select, insert, update, delete on ')
  for (const { check, mend } of partial.faults.filter((one) => one.check === 'role-rights')) {
    await pool.query(mend.replace(' And so that it stays right after migrations:', ''))
    expect(check).toBe('role-rights')
  }
  expect((await doctor(['--strict'], url)).faults).toEqual([])
  await pool.query(`revoke delete on howdah.session from ${role}`)
  await pool.query(`revoke execute on function howdah.session_prune from public, ${role}`)
  const { code, faults } = await doctor(['role-rights'], url)
  expect(code).toBe(2)
  expect(faults.map(({ what }) => what).sort()).toEqual([
    expect.stringMatching(/lacks delete on session in/),
    expect.stringMatching(/lacks execute on session_prune\(\) in/),
  ])
  await pool.query(`drop owned by ${role}; drop role ${role}`)
})

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

test('autovacuum that is off is named, for the server and for a table', async () => {
  await pool.query('alter table howdah.queue_ready set (autovacuum_enabled = false)')
  const ofTable = await doctor(['autovacuum'])
  expect(ofTable.faults).toMatchObject([
    { level: 'error', what: 'Autovacuum is disabled for "howdah"."queue_ready".' },
  ])
  await pool.query(ofTable.faults[0]?.mend ?? '')
  expect((await doctor(['autovacuum'])).faults).toEqual([])
  await set('autovacuum', 'off')
  try {
    const { code, faults } = await doctor(['autovacuum'])
    expect(code).toBe(2)
    expect(faults).toMatchObject([{ what: expect.stringContaining('autovacuum is off') }])
  } finally {
    await set('autovacuum', 'on')
  }
})

test('a notification queue that fills is found, with who may hold it', async () => {
  const client = await pool.connect()
  await client.query('listen anything')
  await client.query('begin')
  const { rows } = await client.query('select pg_backend_pid() as pid')
  try {
    // Eight gigabytes fit by default, and a hundredth of them is too much.
    await pool.query(
      `select count(pg_notify('else', repeat('x', 7900) || n)) from generate_series(1, 12000) n`,
    )
    const { faults } = await doctor(['notification-queue', '--strict'])
    expect(faults).toMatchObject([{ level: 'warning', check: 'notification-queue' }])
    expect(faults[0]?.what).toMatch(/^The notification queue is 1\.\d % full/)
    expect(faults[0]?.what).toContain(`session ${rows[0].pid} `)
  } finally {
    await client.query('rollback')
    await client.query('unlisten *')
    client.release()
  }
  await expect.poll(async () => (await doctor(['notification-queue'])).faults).toEqual([])
}, 60_000)

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
  const careless = await testDatabase()
  try {
    const { faults } = await doctor(['durability'], careless.url)
    expect(faults).toMatchObject([
      { level: 'error', what: 'fsync is off.' },
      { level: 'error', what: 'full_page_writes is off.' },
    ])
  } finally {
    await careless.close()
  }
  await pool.query(`alter database ${database.name} set default_transaction_read_only = on`)
  expect((await doctor(['unlogged-standby'])).faults).toMatchObject([{ level: 'error' }])
})

describe.skipIf(!bouncer)('behind PgBouncer', () => {
  test('without a direct URL it is told that messages are polled for, and with one that all is well', async () => {
    await using pooler = await startPgBouncer({ url: database.url, poolMode: 'transaction' })
    const { faults, checks } = await doctor([], pooler.url)
    const polled = faults.filter(({ check }) => check === 'listening')
    expect(polled).toMatchObject([{ level: 'warning' }])
    expect(polled[0]?.what).toContain('the pool connects through a pooler')
    expect(polled[0]?.mend).toContain('--listen')
    expect(factsOf(checks, 'pooler')).toEqual([
      'Connections lead through a pooler in transaction mode.',
    ])
    const direct = await doctor(['listening', 'pooler', '--listen', database.url], pooler.url)
    expect(direct.faults).toEqual([])
    const wrong = await doctor(['listening', '--listen', pooler.url], pooler.url)
    expect(wrong.faults).toMatchObject([{ check: 'listening' }])
  }, 60_000)

  test('session mode, statement mode and lost prepared statements are told apart', async () => {
    await using session = await startPgBouncer({ url: database.url, poolMode: 'session' })
    const { checks } = await doctor(['pooler', 'prepared-statements'], session.url)
    expect(factsOf(checks, 'pooler')[0]).toContain('session mode')
    const pooled = { url: database.url, poolMode: 'transaction' } as const
    // One before 1.21 does not know the setting, and loses them all the same.
    await using losing = await startPgBouncer({
      ...pooled,
      settings: { max_prepared_statements: 0 },
    }).catch(() => startPgBouncer(pooled))
    expect((await doctor(['prepared-statements'], losing.url)).faults).toMatchObject([
      { level: 'error', what: 'The pooler loses prepared statements.' },
    ])
    await using statement = await startPgBouncer({
      url: database.url,
      poolMode: 'transaction',
      settings: { pool_mode: 'statement' },
    })
    expect((await doctor(['pooler'], statement.url)).faults).toMatchObject([{ level: 'error' }])
  }, 60_000)
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

function factsOf(checks: { check: string; findings: { what: string }[] }[], id: string): string[] {
  return checks.find(({ check }) => check === id)?.findings.map(({ what }) => what) ?? []
}

/** The database's URL with another role. */
function as(role: string): string {
  const url = new URL(database.url)
  url.username = role
  url.password = 'p'
  return url.href
}

async function set(name: string, value: string): Promise<void> {
  await pool.query(`alter system set ${name} = '${value}'`)
  await pool.query('select pg_reload_conf()')
  await expect
    .poll(async () => (await pool.query(`select current_setting('${name}') as now`)).rows[0].now)
    .toBe(value)
}
