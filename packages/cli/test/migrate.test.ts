import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installedMigrations } from '../src/index.js'
import { PROCESS_MS, json as readJson, howdah as run, inside as runInside } from './support.js'

let database: TestDatabase
let pool: Pool
let schemas = 0
const fresh = () => `cli ${++schemas}`

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

const howdah = (args: readonly string[], env: Record<string, string> = {}) =>
  run(args, { DATABASE_URL: database.url, ...env })
const inside = (args: readonly string[], env: Record<string, string> = {}) =>
  runInside(args, { DATABASE_URL: database.url, ...env })
const json = (args: readonly string[]) => readJson(args, { DATABASE_URL: database.url })

async function tables(schema: string): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as n from pg_tables where schemaname = $1 and tablename <> 'migration'`,
    [schema],
  )
  return rows[0].n
}

test(
  'up migrates every installed package, and then has nothing to do',
  async () => {
    const schema = fresh()
    const sets = await installedMigrations()
    expect(sets.map((set) => set.package)).toEqual(
      expect.arrayContaining(['core', 'cache', 'queue']),
    )
    const steps = sets.reduce((sum, { migrations }) => sum + migrations.length, 0)

    const planned = await json(['migrate', 'up', '--schema', schema, '--dry-run'])
    expect(planned).toMatchObject({ code: 0, schema, dryRun: true })
    expect(planned.steps).toHaveLength(steps)
    expect(await tables(schema)).toBe(0)

    const first = await howdah(['migrate', 'up', '--schema', schema])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Applied:\n {2}core 1 /)
    expect(first.stdout.trim().split('\n')).toHaveLength(steps + 1)
    const again = await inside(['migrate', 'up', '--schema', schema])
    expect(again).toMatchObject({ code: 0, stdout: `Schema ${schema} is up to date.\n` })

    const db = Database.from(pool, { schema, migrate: 'manual' })
    for (const set of sets) await db.migrator.ensure(set)
    await db.close()
  },
  PROCESS_MS,
)

test('up of named packages leaves the others, and status tells', async () => {
  const schema = fresh()
  const { steps } = await json(['migrate', 'up', '@howdah/cache', '--schema', schema])
  expect(new Set(steps.map((step: { package: string }) => step.package))).toEqual(
    new Set(['cache']),
  )
  const { packages } = await json(['migrate', 'status', 'cache', 'queue', '--schema', schema])
  expect(packages).toMatchObject([
    { package: 'cache', state: 'current' },
    { package: 'queue', state: 'pending', current: 0 },
  ])
  const text = await inside(['migrate', 'status', 'queue', '--schema', schema])
  expect(text.stdout).toMatch(/^queue: pending \(version 0 of \d+\)\n {2}1 .+ {2}missing\n/)
})

test(
  'down asks before it drops anything, and goes on with --yes',
  async () => {
    const schema = fresh()
    await json(['migrate', 'up', 'cache', '--schema', schema])
    const before = await tables(schema)
    expect(before).toBeGreaterThan(0)
    const refused = await howdah(['migrate', 'down', 'cache', '--to', '0', '--schema', schema])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('CLI_NOT_CONFIRMED: Nothing was changed. Pass --yes')
    expect(await tables(schema)).toBe(before)

    const args = ['migrate', 'down', 'cache', '--to', '0', '--yes', '--schema', schema]
    const { code, steps } = await json(args)
    expect(code).toBe(0)
    expect(steps.at(-1)).toMatchObject({ package: 'cache', version: 1 })
    expect(await tables(schema)).toBe(0)
  },
  PROCESS_MS,
)

test(
  'print writes a script that makes what up makes, without a database',
  async () => {
    const schema = fresh()
    const env = { DATABASE_URL: '' }
    const { code, stdout } = await howdah(['migrate', 'print', '--schema', schema], env)
    expect(code).toBe(0)
    await pool.query(stdout)
    const { packages } = await json(['migrate', 'status', '--schema', schema])
    expect(packages.every(({ state }: { state: string }) => state === 'current')).toBe(true)
    const back = await inside(['migrate', 'print', '--down', '--schema', schema], env)
    await pool.query(back.stdout)
    expect(await tables(schema)).toBe(0)
  },
  PROCESS_MS,
)

test('print --current starts from what the database has', async () => {
  const schema = fresh()
  await json(['migrate', 'up', 'cache', '--schema', schema])
  const { sql } = await json(['migrate', 'print', '--current', '--schema', schema])
  expect(sql).not.toContain('-- cache 1:')
  await pool.query(sql)
  const { packages } = await json(['migrate', 'status', '--schema', schema])
  expect(packages.every(({ state }: { state: string }) => state === 'current')).toBe(true)
})

test('--url goes before DATABASE_URL', async () => {
  const schema = fresh()
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
  const args = ['migrate', 'up', 'cache', '--schema', schema]
  expect(await inside(args, env)).toMatchObject({ code: 1 })
  expect(await inside([...args, '--url', database.url], env)).toMatchObject({ code: 0 })
})

test.each([
  ['no database', ['migrate', 'up'], 'CLI_INVALID_OPTION: Name the database'],
  ['no URL', ['migrate', 'up', '--url', 'secret'], 'CLI_INVALID_OPTION: The URL of the database'],
  ['nobody listening', ['migrate', 'up', '--url', 'postgres://127.0.0.1:1/x'], 'ECONNREFUSED'],
  ['an unknown package', ['migrate', 'up', '__proto__'], 'CLI_UNKNOWN_PACKAGE: No installed'],
  ['no version', ['migrate', 'down', 'cache'], "required option '--to <version>'"],
  ['a wrong version', ['migrate', 'down', 'cache', '--to', '-1'], 'It must be a whole number'],
  ['an unknown command', ['migrate', 'sideways'], 'unknown command'],
  ['an impossible schema', ['migrate', 'print', '--schema', ''], 'CORE_INVALID_NAME'],
])('%s is refused with a sentence and exit code 1', async (_what, args, message) => {
  const { code, stdout, stderr } = await inside(args, { DATABASE_URL: '' })
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toContain(message)
  expect(stderr).not.toContain('secret')
})

test('errors are JSON with --json', async () => {
  const outcome = await json(['migrate', 'down', 'cache', '--to', '99', '--yes'])
  expect(outcome).toMatchObject({ code: 1, error: { code: 'CORE_INVALID_OPTION' } })
})
