import { type PostgresServer, startPostgres, type TestDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { migrateAll } from '../../../scripts/migrate-template.js'
import { doctorOf } from './doctor-support.js'
import { inside } from './support.js'

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

const doctor = (args: readonly string[] = [], url = database.url) => doctorOf(url, args)

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

test('a schema of any name is looked at as well', async () => {
  const schema = `we "ird's $1 %I`
  const env = { DATABASE_URL: database.url }
  expect(await inside(['migrate', 'up', '--schema', schema], env)).toMatchObject({ code: 0 })
  expect(await doctor(['--strict', '--schema', schema])).toMatchObject({ code: 0, faults: [] })
  for (const args of ['top --once', 'queue list', 'schedule list', 'cache list', 'stream list']) {
    const { code, stderr } = await inside([...args.split(' '), '--schema', schema], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  for (const args of ['session list', 'session list u', 'session some n', 'stream groups']) {
    const { code, stderr } = await inside([...args.split(' '), '--schema', schema], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
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
    // What others run does nothing to the terminal of whoever reads of it.
    await client.query(`select '\u202e\u001b[31m'`)
    const text = await inside(['doctor', 'snapshot-horizon', '--long', '1ms'], {
      DATABASE_URL: database.url,
    })
    expect(text.stdout).toContain(`select '\\u202e\\u001b[31m'`)
    expect(text.stdout).toMatch(/^[\n\P{C}]*$/u)
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
